"""What the image's recipe asks of its base, and what a changed line of code makes anew."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]


def test_nothing_but_python3_is_asked_of_the_base() -> None:
    """Debian's has neither `python` nor `pip`, and may not have `venv`."""
    commands = [line for line in LINES if line.startswith("RUN ")]
    assert not [line for line in commands if re.search(r"(?<![\w/.-])(?:python|pip)\s", line)]
    checked = next(line for line in commands if "ensurepip" in line)
    assert "python3-venv" in checked
    assert commands.index(checked) < next(
        index for index, line in enumerate(commands) if "-m venv" in line
    )


def test_changed_code_downloads_nothing_again() -> None:
    """Docker makes anew what follows the first COPY of something that has changed."""
    code = LINES.index("COPY gateway ./gateway")
    stage = max(index for index, line in enumerate(LINES[:code]) if line.startswith("FROM "))
    behind = [line for line in LINES[code:] if line.startswith("RUN ") and "pip" in line]
    assert behind
    assert all(
        "--no-deps" in command
        for line in behind
        for command in re.findall(r"pip (?:wheel|install)[^&]*", line)
    )
    assert all("--no-index" in line or "--no-build-isolation" in line for line in behind)
    before = " ".join(LINES[stage:code])
    assert "-r /runtime.txt" in before
    assert "-r /build.txt" in before
    assert "COPY pyproject.toml" not in before.partition("-r /build.txt")[0]


@pytest.mark.parametrize("name", ["runtime", "build"])
def test_the_requirements_are_those_of_the_package(name: str, tmp_path: Path) -> None:
    (command,) = [line.removeprefix("RUN ") for line in LINES if "tomllib" in line]
    script = command.replace("/runtime.txt", "runtime.txt").replace("/build.txt", "build.txt")
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    script = script.replace("python3", f"'{sys.executable}'")
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True)
    described = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    expected = {
        "runtime": described["project"]["dependencies"],
        "build": described["build-system"]["requires"],
    }
    assert (tmp_path / f"{name}.txt").read_text().splitlines() == expected[name]
