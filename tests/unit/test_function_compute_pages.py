"""Each row of the pages on environ and on answers names a test, and the test exists."""

import re

import pytest
from unit.cited_tests import ROOT, assert_cites_a_test, rows

EXACT_ENVIRON = ROOT / "docs" / "exact-environ.md"
RESPONSE_METADATA = ROOT / "docs" / "response-metadata.md"
ROWS = [*rows(EXACT_ENVIRON), *rows(RESPONSE_METADATA)]


def test_there_are_rows() -> None:
    assert len(rows(EXACT_ENVIRON)) > 12
    assert len(rows(RESPONSE_METADATA)) > 12


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_the_row_names_a_test_that_exists(row: list[str]) -> None:
    assert_cites_a_test(row)


def test_what_the_text_cites_exists() -> None:
    text = EXACT_ENVIRON.read_text("utf-8").rpartition("|")[2]
    cited = re.findall(r"`F/[^`]+`", text)
    assert len(cited) == 3
    for test in cited:
        assert_cites_a_test(["", "", test])
