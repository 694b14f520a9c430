"""Each row of docs/security.md names a test, and the test exists; options are spelled right."""

import re

import pytest
from unit.cited_tests import ROOT, assert_cites_a_test, rows

from gateway.config.options import OPTIONS

PAGE = ROOT / "docs" / "security.md"
ROWS = rows(PAGE)


def test_there_are_rows() -> None:
    assert len(ROWS) > 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_the_row_names_a_test_that_exists(row: list[str]) -> None:
    assert_cites_a_test(row)


@pytest.mark.parametrize(
    "row",
    [
        ["attack", "defence"],
        ["attack", "defence", "test_parser.py"],
        ["attack", "defence", "`U/http/message/test_parser.py::test_of_no_such_name`"],
    ],
)
def test_a_row_without_a_test_is_noticed(row: list[str]) -> None:
    with pytest.raises(AssertionError):
        assert_cites_a_test(row)


def test_the_options_are_there() -> None:
    flags = {flag for option in OPTIONS.values() for flag in (option.flag, option.negation)}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE.read_text("utf-8")))
    assert len(named) > 10
    assert named <= flags


def test_readme_leads_there() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "(docs/security.md)" in readme
    assert "(SECURITY.md)" in readme
