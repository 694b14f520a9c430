"""The pages for readers: links lead somewhere, an index leads to each, modules they name exist."""

import importlib
import re
from pathlib import Path

import pytest
from unit.cited_tests import ROOT
from unit.test_layers import LAYERS

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    ROOT / "bench" / "README.md",
]


def relative_links(text: str) -> list[tuple[str, str]]:
    """(path, anchor) of each link that is none to another site."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", prose)
    return [(path, anchor) for path, anchor in found]


def anchors(page: Path) -> set[str]:
    """Those of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


def dead_links(page: Path, text: str) -> list[str]:
    """The links of the page's text that lead nowhere."""
    dead = []
    for path, anchor in relative_links(text):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{path}#{anchor}")
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, page.read_text("utf-8")) == []


@pytest.mark.parametrize("link", ["docs/none.md", "docs/settings.md#nothing", "#nothing"])
def test_a_dead_link_is_noticed(link: str) -> None:
    page = ROOT / "README.md"
    path, _, anchor = link.partition("#")
    assert dead_links(page, f"see [that]({link})") == [f"{path}#{anchor}"]


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_the_index_leads_to_each_page(folder: str) -> None:
    index = ROOT / folder / "README.md"
    linked = {path for path, _ in relative_links(index.read_text("utf-8"))}
    assert {page.name for page in (ROOT / folder).glob("*.md")} - {"README.md"} <= linked


def test_the_readme_leads_to_the_index() -> None:
    linked = {path for path, _ in relative_links((ROOT / "README.md").read_text("utf-8"))}
    assert "docs/README.md" in linked


INSIDE = [ROOT / "docs" / "architecture.md", *(ROOT / "docs" / "decisions").glob("*.md")]
"""Pages that name modules."""


def missing_modules(text: str) -> list[str]:
    """The modules and folders of the package that the text names and that do not exist."""
    named = re.findall(r"`(?:gateway/)?((?:\w+/)+(?:\w+(?:\.py)?)?)`", text)
    rooms = {path.name for path in (ROOT / "gateway").iterdir() if path.is_dir()}
    ours = [name for name in named if name.partition("/")[0] in rooms]
    paths = {name: ROOT / "gateway" / name for name in ours}
    return [
        name
        for name, path in paths.items()
        if not path.exists() and not path.with_suffix(".py").exists()
    ]


@pytest.mark.parametrize("page", INSIDE, ids=lambda page: page.name)
def test_modules_that_a_page_names_exist(page: Path) -> None:
    assert missing_modules(page.read_text("utf-8")) == []


def test_a_module_that_has_moved_is_noticed() -> None:
    text = (
        "`wsgi/pool.py`, `wsgi/`, `http/message/head`, `wsgi/gone.py`, `gateway/http/gone`, `a/b`"
    )
    assert missing_modules(text) == ["wsgi/gone.py", "http/gone"]


def test_the_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    named = set(re.findall(r"`([\w.]+)`", rows))
    assert set().union(*LAYERS) - {"", "__main__"} <= named


def test_the_architecture_shows_the_layers_of_the_layer_test() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    shown = page.partition("## What may import what")[2].split("```")[1].strip().splitlines()
    layers = [layer - {"", "__main__"} for layer in reversed(LAYERS)]
    assert [set(line.split()) for line in shown] == [layer for layer in layers if layer]


@pytest.mark.parametrize("page", INSIDE[1:], ids=lambda page: page.name)
def test_a_decision_is_dated(page: Path) -> None:
    assert re.search(r"\b2026-\d\d-\d\d\b", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_programs_import_what_exists(page: Path) -> None:
    imports = re.findall(
        r"^from (gateway[\w.]*) import (.+)$", page.read_text("utf-8"), re.MULTILINE
    )
    for module, names in imports:
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def test_nobody_is_told_to_install_it_from_an_index() -> None:
    """It is on none: the command would fail, or install what somebody else has put there."""
    command = re.compile(r"pip3? install[^\n`]*(?:\n +--[^\n`]*)*\bfc-gateway\b")
    assert command.search("pip install --upgrade\n    --python-version 3.12 fc-gateway")
    files = [*PAGES, *(ROOT / "examples").rglob("*"), *(ROOT / "gateway").rglob("*.py")]
    told = [
        str(file.relative_to(ROOT))
        for file in files
        if file.is_file() and file.suffix != ".pyc" and command.search(file.read_text("utf-8"))
    ]
    assert told == []
