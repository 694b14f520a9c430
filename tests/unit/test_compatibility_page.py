"""Each row of docs/fc-compatibility.md names a test, and the test exists."""

import re

import pytest
from unit.cited_tests import ROOT, assert_cites_a_test, missing_cases, rows

PAGE = ROOT / "docs" / "fc-compatibility.md"
ROWS = rows(PAGE)


def test_there_are_rows() -> None:
    assert len(ROWS) > 150


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_the_row_names_a_test_that_exists(row: list[str]) -> None:
    assert_cites_a_test(row)


def test_cases_that_rows_name_exist() -> None:
    assert missing_cases(ROWS) == []


def test_a_case_that_does_not_exist_is_found() -> None:
    test = "U/test_compatibility_page.py::test_there_are_rows"
    assert missing_cases([["", "", f"`{test}[one]`"]]) == [f"tests/unit{test[1:]}[one]"]


def test_what_the_text_cites_exists() -> None:
    prose = [line for line in PAGE.read_text("utf-8").splitlines() if line[:1] != "|"]
    cited = re.findall(r"`[FU]/[^`]+::[^`]+`", "\n".join(prose))
    assert len(cited) == 3
    for test in cited:
        assert_cites_a_test(["", "", test])
