"""Nothing that is written depends on the locale, which a handler may set (`LC_TIME`)."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.logs.access_log import _text_stamp

PACKAGE = Path(__file__).parents[2] / "gateway"

_NAMED = re.compile(r"%[EO_-]?[aAbBchpPrxXZ+]")
"""Directives of strftime(3) whose text is a locale's."""

_CALLS = {"strftime", "strptime", "setlocale", "format_string", "currency", "localeconv"}


def test_every_month() -> None:
    days = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
    stamps = [_text_stamp(day * 86400) for day in days]
    assert [stamp[:11] for stamp in stamps] == [
        *("01/Jan/1970", "01/Feb/1970", "01/Mar/1970", "01/Apr/1970", "01/May/1970"),
        *("01/Jun/1970", "01/Jul/1970", "01/Aug/1970", "01/Sep/1970", "01/Oct/1970"),
        *("01/Nov/1970", "01/Dec/1970"),
    ]
    assert _text_stamp(1_767_225_599) == "31/Dec/2025:23:59:59 +0000"
    assert {stamp[11:] for stamp in stamps} == {":00:00:00 +0000"}


def test_no_format_of_the_package_asks_the_locale() -> None:
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                forms = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                if name in _CALLS:
                    asks = [form for form in forms if _NAMED.search(str(form))]
                    if name not in ("strftime", "strptime") or asks:
                        found.append((path.name, node.lineno))
            elif isinstance(node, ast.FormattedValue) and node.format_spec is not None:
                spec = ast.unparse(node.format_spec)
                if _NAMED.search(spec) or spec.endswith("n'"):
                    found.append((path.name, node.lineno))
    assert found == []


@pytest.mark.skipif(
    not (shutil.which("localedef") and Path("/usr/share/i18n/locales/de_DE").exists()),
    reason="no locales can be made here (Debian's package locales)",
)
def test_in_another_locale(tmp_path: Path) -> None:
    """March is Mär there."""
    made = tmp_path / "de_DE.UTF-8"
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(made)], check=False)
    code = (
        "import locale, time; locale.setlocale(locale.LC_ALL, 'de_DE.UTF-8');"
        "from gateway.logs.access_log import _text_stamp;"
        "print(time.strftime('%b', time.gmtime(59 * 86400)), _text_stamp(59 * 86400))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"LOCPATH": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
        cwd=PACKAGE.parent,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == "Mär 01/Mar/1970:00:00:00 +0000\n"
