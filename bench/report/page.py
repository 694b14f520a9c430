"""The page as a whole."""

from collections.abc import Iterable, Iterator, Mapping

from bench.criteria import OURS
from bench.report import tables, texts
from bench.report.overhead import overhead_text
from bench.report.plots import CPU, LATENCY, MEMORY, OVERHEAD, THROUGHPUT
from bench.report.scenes import Scene, scene
from bench.results import Results

GROUPS = {
    "Raw WSGI": ("hello-32", "hello-256", "hello-1", "varied-32", "access-log", "hello-2-workers"),
    "Flask": ("flask-32", "flask-256", "flask-1"),
    "JSON": ("json-32",),
    "Uploads": ("post-64k", "post-1m", "post-30m", "uploads-100"),
    "Streaming": ("stream-100m", "stream-1g"),
    "Slow handlers and slow clients": (
        "sleep-50ms",
        "burn-beside-quick",
        "slow-beside-quick",
        "deaf-beside-quick",
        "hostile-beside-quick",
    ),
    "Refusals": ("refusals",),
    "Idle connections": ("idle-10k",),
    "Cold start": ("cold-start",),
    "Open loop": ("open-loop", "open-loop-20k"),
    "Overload": (
        "overload-sleep",
        "overload-compute",
        "overload-short-queue",
        "overload-new",
    ),
}
"""Scenarios by heading; results may hold others, which come last."""

_PLOTS = {
    "Raw WSGI": (THROUGHPUT, CPU),
    "Open loop": (LATENCY,),
}


def page_text(results: Results, drawn: Mapping[str, str], folder: str) -> str:
    """The page; `drawn` has the plots that there are, with what they show, in `folder`."""
    groups = {group: _scenes(results, names) for group, names in _groups(results).items()}
    scenes = [scene for found in groups.values() for scene in found]

    def plot(name: str) -> str:
        return f"![{drawn[name]}]({folder}/{name})\n" if name in drawn else ""

    parts = [
        texts.INTRO,
        *_warnings(results),
        _titled("## What was measured", _circumstances(results)),
        _titled("## How", texts.METHOD),
        _titled("## Targets", texts.SAME_HEAD, tables.targets_table(results)),
    ]
    for group, found in groups.items():
        plots = [plot(name) for name in _PLOTS.get(group, ())]
        parts.append(_titled(f"## {group}", *plots, *_sections(found)))
    if MEMORY in drawn:
        parts.append(_titled("## Memory over time", plot(MEMORY)))
    parts += [
        _titled("## Overhead of an invocation", plot(OVERHEAD), overhead_text(results)),
        _titled("## Where peers are better", _wins(results, scenes)),
        _titled("## What is not claimed", texts.NOT_CLAIMED),
        _titled("## Failed runs", tables.failures_list(results.runs) or "None.\n"),
        _titled("## How to reproduce", texts.REPRODUCE),
    ]
    return "\n".join(part for part in parts if part)


def _titled(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def _groups(results: Results) -> dict[str, tuple[str, ...]]:
    known = {name for names in GROUPS.values() for name in names}
    others = sorted({run.scenario for run in results.runs} - known)
    return {**GROUPS, "Other scenarios": tuple(others)} if others else GROUPS


def _scenes(results: Results, names: Iterable[str]) -> list[Scene]:
    return [found for name in names if (found := scene(results, name))]


def _sections(scenes: Iterable[Scene]) -> Iterator[str]:
    """Tables under their titles; a group without runs says so."""
    is_empty = True
    for found in scenes:
        is_empty = False
        yield f"### {found.title}"
        yield tables.scene_table(found)
    if is_empty:
        yield "Not measured."


def _warnings(results: Results) -> Iterator[str]:
    if not results.is_complete:
        yield "> **The measurement was interrupted: some runs are missing.**\n"
    good = [run for run in results.runs if run.failure is None]
    if not good:
        yield "> **No run gave a figure.**\n"
    elif len({run.round for run in good}) == 1:
        yield "> **There was one round only: no figure has an interval.**\n"
    if results.revision.endswith("+"):
        yield "> **The gateway was measured with changes that are not in its revision.**\n"


def _wins(results: Results, scenes: list[Scene]) -> str:
    if not any(row.peer == OURS and row.figures for found in scenes for row in found.rows):
        return "Nothing to compare: there is no good run of the gateway.\n"
    found = tables.wins_table(results, scenes)
    if not found:
        return "No median of a peer is better than the gateway's in this set.\n"
    return (
        "Every median of this set that is better than the gateway's, as its ratio to ours. A "
        "scenario's own figure is in bold; an interval that holds 1 means that the difference may "
        "be noise.\n\n" + found
    )


def _circumstances(results: Results) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return tables.facts(
        [
            ("measured", results.started_at),
            ("gateway", f"`{results.revision}`"),
            *results.machine.items(),
            *((name, f"{value:g}") for name, value in results.settings.items()),
            ("versions", versions or "not recorded"),
        ]
    )
