"""Each row of docs/misbehaving-handlers.md names a test, and the test exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "misbehaving-handlers.md"
FOLDERS = {"F/": "tests/functional/", "U/": "tests/unit/"}


def rows() -> list[list[str]]:
    """The cells of all rows, without heads and rules."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_there_are_rows() -> None:
    assert len(rows()) > 20


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_the_row_names_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 4
    match = re.fullmatch(r"`([FU]/)([\w/]+\.py)::(\w+)`", row[3])
    assert match is not None, row[3]
    source = (ROOT / FOLDERS[match[1]] / match[2]).read_text(encoding="utf-8")
    names = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert match[3] in names
