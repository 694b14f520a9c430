"""What happens to programs that are missing; apt-get is a script of the test's own."""

import os
from pathlib import Path

import pytest

from bench import debian

APT_GET = """#!/bin/sh
echo "$@" >> {log}
test -x {policy} && {policy}; echo "service policy $?" >> {log}
test "$2" = install && {{ echo exit > {bin}/tool; chmod +x {bin}/tool; }}
exit 0
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an apt-get that installs `tool`, whatever it is asked for."""
    (tmp_path / "apt-get").write_text(
        APT_GET.format(log=tmp_path / "log", policy=tmp_path / "policy", bin=tmp_path)
    )
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(debian, "_POLICY", tmp_path / "policy")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def test_what_is_missing_is_installed_and_starts_no_service(machine: Path) -> None:
    debian.main(["tool", "sh"])
    assert (machine / "log").read_text().splitlines() == [
        "--quiet update",
        "service policy 101",
        "--quiet install --yes --no-install-recommends tool",
        "service policy 101",
    ]
    assert not (machine / "policy").exists()


def test_a_policy_that_is_there_stays(machine: Path) -> None:
    (machine / "policy").write_text("#!/bin/sh\nexit 7\n")
    (machine / "policy").chmod(0o755)
    debian.main(["tool"])
    assert "service policy 7" in (machine / "log").read_text()
    assert (machine / "policy").exists()


def test_nothing_is_done_when_all_is_there(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    debian.main(["sh"])
    assert not (machine / "log").exists()
    assert capsys.readouterr().err == ""


def test_who_may_not_install_is_told_what_is_left_out(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    debian.main(["tool", "sh", "other"])
    assert not (machine / "log").exists()
    said = capsys.readouterr().err
    assert said == "tool and other not installed: the tests that need them are skipped\n"


def test_without_apt_get_nothing_is_tried(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    debian.main(["tool"])
    assert "tool not installed" in capsys.readouterr().err


def test_programs_for_root_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert debian.find("chroot") == "/usr/sbin/chroot"
    assert debian.find("no-such-program") is None
