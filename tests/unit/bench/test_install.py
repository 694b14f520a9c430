"""What is said of a package that does not install; the texts are pip's."""

import pytest

from bench import install
from bench.environment import UsageError

NO_HEADER = """\
  error: subprocess-exited-with-error

  x Building wheel for bjoern (pyproject.toml) did not run successfully.
  │ exit code: 1
      building '_bjoern' extension
      bjoern/request.h:4:10: fatal error: ev.h: No such file or directory
          4 | #include <ev.h>
      error: Command '['gcc', '-Wsign-compare']' returned non-zero exit status 1.

  note: This error originates from a subprocess, and is likely not a problem with pip.
ERROR: Could not build wheels for bjoern, which is required to install pyproject.toml-based projects
"""
NO_VERSION = """\
ERROR: Could not find a version that satisfies the requirement bjoern==9 (from versions: 3.2.2)
ERROR: No matching distribution found for bjoern==9
"""


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (NO_HEADER, "bjoern/request.h:4:10: fatal error: ev.h: No such file or directory"),
        (NO_VERSION, NO_VERSION.splitlines()[0]),
        ("first\n\nlast\n\n", "last"),
        ("", "pip says nothing"),
    ],
)
def test_reason(output: str, line: str) -> None:
    assert install.reason(output) == line


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError) as refused:
        install.install()
    assert str(refused.value) == "h2load and wrk missing: apt-get install nghttp2-client wrk"


def test_a_package_that_does_not_install_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = install.pinned() | {"bjoern": "0.1"}
    del there["granian"]
    asked = []

    def pip(requirement: str) -> str | None:
        asked.append(requirement)
        return "no compiler" if requirement.startswith("bjoern") else None

    monkeypatch.setattr(install, "_install_tools", lambda: None)
    monkeypatch.setattr(install, "_make_folder", lambda: None)
    monkeypatch.setattr(install, "_pip", pip)
    monkeypatch.setattr(install, "installed", Cached(there))
    install.install()
    pins = install.pinned()
    assert sorted(asked) == [f"bjoern=={pins['bjoern']}", f"granian=={pins['granian']}"]
    assert capsys.readouterr().err == f"left out: bjoern; bjoern {pins['bjoern']}: no compiler\n"


class Cached:
    """As `environment.installed`."""

    def __init__(self, versions: dict[str, str]) -> None:
        self._versions = versions

    def __call__(self) -> dict[str, str]:
        return self._versions

    def cache_clear(self) -> None:
        pass
