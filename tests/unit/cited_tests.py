"""Pages whose tables name a test in the last cell of each row."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = {"F/": "tests/functional/", "U/": "tests/unit/"}


def rows(page: Path) -> list[list[str]]:
    """The cells of all rows, without heads and rules."""
    lines = page.read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line[:1] == "|"
    ]
    rules = [index for index, row in enumerate(cells) if row[0].startswith("---")]
    heads = {index - 1 for index in rules}
    return [row for index, row in enumerate(cells) if index not in heads | {*rules}]


def assert_cites_a_test(row: list[str]) -> None:
    """The row has three cells, and the test that the last one names is there.

    It may name one case of the test in brackets, as pytest does; see `missing_cases`.
    """
    assert len(row) == 3
    match = re.fullmatch(r"`([FU]/)([\w/]+\.py)::(\w+)(\[[^`]+\])?`", row[2])
    assert match is not None, row[2]
    source = (ROOT / FOLDERS[match[1]] / match[2]).read_text(encoding="utf-8")
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    names = {node.name for node in ast.parse(source).body if isinstance(node, kinds)}
    assert match[3] in names, row[2]


def missing_cases(rows: list[list[str]]) -> list[str]:
    """The cases that rows name in brackets, and that pytest does not find.  Takes seconds."""
    cited = [row[2].strip("`") for row in rows if row[2].endswith("]`")]
    named = {FOLDERS[each[:2]] + each[2:] for each in cited}
    files = sorted({name.partition("::")[0] for name in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", *files]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    return sorted(named - {*run.stdout.splitlines()})
