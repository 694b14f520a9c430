"""A release that is not ready is refused, and one that is ready installs and serves."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import release
from tools.release import ReleaseError


def test_the_version_is_that_of_the_package():
    from gateway import __version__  # noqa: PLC0415

    assert release.version_of(release.ROOT) == __version__


def test_no_version(tmp_path):
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway/version.py").write_text("")
    with pytest.raises(ReleaseError, match="has no version"):
        release.version_of(tmp_path)


READY = "# Changes\n\n## Unreleased\n\n## 1.2.3 (2026-01-31)\n\n- Something.\n"


def test_a_dated_section_is_ready():
    release.check_changelog(READY, "1.2.3")
    release.check_changelog(READY.replace("## Unreleased\n\n", ""), "1.2.3")


@pytest.mark.parametrize(
    ("text", "version", "why"),
    [
        (READY, "1.2.4", "has no section"),
        (READY, "1x2.3", "has no section"),
        (READY.replace(" (2026-01-31)", ""), "1.2.3", "has no section"),
        (READY.replace("2026-01-31", "soon"), "1.2.3", "has no section"),
        (READY.replace("## Unreleased\n", "## Unreleased\n\n- More.\n"), "1.2.3", "unreleased"),
    ],
)
def test_a_changelog_that_is_not_ready(text, version, why):
    with pytest.raises(ReleaseError, match=why):
        release.check_changelog(text, version)


def distributions(folder: Path, in_source, in_wheel):
    source, wheel = folder / "a.tar.gz", folder / "a.whl"
    with tarfile.open(source, "w:gz") as archive:
        for name in in_source:
            archive.addfile(tarfile.TarInfo(f"a-1/{name}"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in in_wheel:
            archive.writestr(name, "")
    return source, wheel


NEEDED = [*release._NEEDED]


def test_contents_that_are_complete(tmp_path):
    release.check_contents(*distributions(tmp_path, [*NEEDED, "tests/a.py"], NEEDED))


@pytest.mark.parametrize("missing", NEEDED)
def test_a_file_that_is_missing(tmp_path, missing):
    less = [name for name in NEEDED if name != missing]
    for source, wheel in ((less, NEEDED), (NEEDED, less)):
        with pytest.raises(ReleaseError, match=f"lacks {missing}"):
            release.check_contents(*distributions(tmp_path, source, wheel))


def test_a_file_too_many(tmp_path):
    with pytest.raises(ReleaseError, match=r"a\.whl has tests/a\.py"):
        release.check_contents(*distributions(tmp_path, NEEDED, [*NEEDED, "tests/a.py"]))


def test_a_step_that_fails():
    command = [sys.executable, "-c", "import sys; sys.exit('first\\nno luck')"]
    with pytest.raises(ReleaseError, match=r"a\.whl: .+ failed: no luck"):
        release._run("a.whl", command)


@pytest.fixture
def command(tmp_path):
    """A `gateway` that runs this one."""
    path = tmp_path / "gateway"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(release.ROOT)!r})\n"
        "from gateway.cli import main\nsys.exit(main())\n"
    )
    path.chmod(0o755)
    return path


def test_a_command_that_serves(command, tmp_path):
    release._serve("it", str(command), tmp_path)


def test_a_command_that_does_not_start(command, tmp_path):
    command.write_text("#!/bin/sh\necho no luck >&2\nexit 1\n")
    with pytest.raises(ReleaseError, match="it: 'gateway serve' does not start: no luck"):
        release._serve("it", str(command), tmp_path)


def test_a_command_that_fails_to_serve(command, tmp_path):
    text = command.read_text().replace(
        "sys.exit(main())", "sys.argv[2] = 'broken:handler'\nsys.exit(main())"
    )
    command.write_text(text)
    (tmp_path / "broken.py").write_text(
        "def handler(environ, start_response):\n    raise OSError\n"
    )
    with pytest.raises(ReleaseError, match="it: GET / is answered 502"):
        release._serve("it", str(command), tmp_path)


def test_the_changelog_is_looked_at_first():
    """Nothing is built for a release that is not ready."""
    done = subprocess.run(
        [sys.executable, str(release.ROOT / "tools/release.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=os.sep,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("release: error: CHANGELOG.md ")
