"""The pages for readers: links lead somewhere, the README leads to each, and installing works."""

import re
from pathlib import Path

import pytest
from unit.cited_tests import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
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


def test_the_readme_leads_to_each_page() -> None:
    linked = {path for path, _ in relative_links((ROOT / "README.md").read_text("utf-8"))}
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= linked


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
