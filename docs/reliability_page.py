"""The page `docs/reliability.md`, made from what runs have left in `docs/reliability/`.

No figure of it is written by hand: the counts are those of the tests (`make reliability`), of the
fuzzer (`make fuzz`) and of the soak (`make soak`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.reliability_plot import PLOT

FOLDER = Path(__file__).parent / "reliability"

FORMAT = 1
"""Of the three files."""

FAMILIES = {
    "framing": "Where a request begins and ends, row by row of RFC 9112; refusals close, and "
    "nothing behind one is parsed",
    "smuggling": "Both readings of every request that two servers could read differently",
    "splits": "The same bytes whole, by line, by byte and in random pieces: the same outcome",
    "proxy-agreement": "The same bytes through a strict proxy: as many requests, the same bodies",
    "limits": "Every limit one below, at and one above, at the first byte that breaks it",
    "slow-clients": "Slow heads, slow bodies, deaf readers, idle crowds, few descriptors: others "
    "are served as quickly, and all is released",
    "handlers": "Handlers that do each thing wrong: what the client sees, what the log says, and "
    "the next request is served",
    "vanishing-clients": "Clients that leave while queued, running or streaming",
    "drain": "The end in the middle of traffic: accepted requests get their responses",
    "workers": "Worker processes that die, hang or are replaced",
    "overload": "Three times more requests than can be served: as many are, the rest is "
    "refused quickly",
    "trust": "Headers and preambles that only a listed proxy may say",
    "secrets": "Credentials and forged lines: in no log, error, `repr` or metric",
    "fuzz": "The seeds of the fuzzer with their near relations, and clients that do anything in "
    "any order on real connections",
    "soak": "All kinds of traffic and faults at once, for some seconds; and the soak's own judges",
}
"""What each family of tests tries, in the order of the table."""

_INTRO = """\
# Reliability

What was tried against the gateway, by hostile, slow, broken and too many clients, and the outcome.
`make docs` renders this page from the files in [reliability](reliability), which the named commands
write. [Life of a request](request-life.md) lists each deadline and limit, [Errors](errors.md) each
response.
"""

_TESTS = """\
## What the tests tried

*Refused*: requests that got the refusal that the rule names. *Served*: requests that got the
response that the rule names. *Faults*: injected and survived: they cut only what they had to cut,
everything they held is released, and the next request is served. *Lost*: accepted requests without
a whole response. The file is written only when every test has passed. All families: `make
reliability`.

| family | what is tried | tests | refused | served | faults | lost | again by |
| --- | --- | --: | --: | --: | --: | --: | --- |
"""

_FUZZ = """\
## Fuzzing

Inputs grow from [seeds](../tests/fuzz/seeds) towards new branches of the gateway's code (atheris,
libFuzzer). Only heads, bodies and refusals may come out; the outcome does not depend on how the
input is cut; an accepted request keeps its meaning when written plainly; no byte that a handler
sends is taken for another response. A *finding* is an input that breaks one of these. Again by
`make fuzz`.

| target | what | inputs | seconds | branches | kept inputs | peak MB | findings |
| --- | --- | --: | --: | --: | --: | --: | --: |
"""

_SOAK = """\
## Soak

Everything at once, for a given time: keep-alive, pipelines, uploads and downloads compared with
digests, Flask, HEAD and 304, asynchronous invocations, refusals of each kind, slow, deaf and
vanishing clients, failing and late handlers. Each request has a token that its response and its
record in the access log must carry. Again by `make soak MINUTES={minutes}`.
"""


def render_reliability(folder: Path = FOLDER) -> str:
    """The whole page.

    Raises:
        ValueError: a file is of another layout; or it tells of a family without a description.
    """
    return "\n".join(
        [
            _INTRO,
            *_tests(load(folder / "tally.json")),
            *_fuzz(load(folder / "fuzz.json")),
            *_soak(load(folder / "soak.json")),
        ]
    )


def load(path: Path) -> dict[str, Any]:
    """What a run has left.

    Raises:
        ValueError: it is of another layout.
    """
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if content.get("format") != FORMAT:
        raise ValueError(f"{path.name} has layout {content.get('format')}, not {FORMAT}")
    return content


def _tests(tally: dict[str, Any]) -> Iterator[str]:
    counts = tally["families"]
    unknown = counts.keys() - FAMILIES.keys()
    if unknown:
        raise ValueError(f"no description of {', '.join(sorted(unknown))} in {__name__}")
    columns = ("tests", "refused", "served", "faults", "lost")
    rows = []
    for family, about in FAMILIES.items():
        if family in counts:
            numbers = [counts[family].get(name, 0) for name in columns]
            command = f"`.venv/bin/python -m pytest --family={family}`"
            rows.append(_row(family, about, *numbers, command))
    totals = [sum(family.get(name, 0) for family in counts.values()) for name in columns]
    rows.append(_row("**all**", "", *totals, "`make reliability`"))
    yield _TESTS + "\n".join(rows) + "\n"
    yield f"{_when(tally, 'ended_at')}\n"


def _fuzz(result: dict[str, Any]) -> Iterator[str]:
    columns = ("name", "about", "inputs", "seconds", "edges", "kept", "peak_rss_mb", "findings")
    targets = result["targets"]
    rows = [_row(*[target[name] for name in columns]) for target in targets]
    totals = {name: sum(target[name] for target in targets) for name in ("inputs", "seconds")}
    findings = sum(target["findings"] for target in targets)
    rows.append(_row("**all**", "", totals["inputs"], totals["seconds"], "", "", "", findings))
    yield _FUZZ + "\n".join(rows) + "\n"
    yield f"{_when(result, 'started_at')}\n"


def _soak(result: dict[str, Any]) -> Iterator[str]:
    minutes = result["seconds"] / 60
    yield _SOAK.format(minutes=f"{minutes:.0f}")
    outcomes = result["outcomes"]
    log, memory = result["log"], result["memory"]
    before, after = result["baseline"], result["after"]
    rows = [
        _row("minutes", f"{minutes:.1f}"),
        _row("served as the rule says", outcomes["served"]),
        _row("refused as the rule says", outcomes["refused"]),
        _row("faults injected and survived", outcomes["faults"]),
        _row("records in the access log", log["records"]),
        _row("memory, middle of the second tenth", f"{memory['early']:.1f} MB"),
        _row("memory, middle of the last tenth", f"{memory['late']:.1f} MB"),
        _row("its slope over the second half", f"{memory['slope']:+.2f} MB in ten minutes"),
        _row("descriptors before and after", f"{before['descriptors']}, {after['descriptors']}"),
        _row("threads before and after", f"{before['threads']}, {after['threads']}"),
    ]
    if result["kill_every"]:
        rows.append(_row("connections cut by a worker that was ended", outcomes["cut_by_exit"]))
    yield "| figure | |\n| --- | --: |\n" + "\n".join(rows) + "\n"
    yield (
        "| must not be | times |\n| --- | --: |\n"
        + "\n".join([_row(what, number) for what, number in result["rules"].items()])
        + "\n"
    )
    kinds = result["kinds"]
    for outcome, title in (("served", "Served"), ("refused", "Refused"), ("fault", "Faults")):
        told = ", ".join([f"{kind} {number:,}" for kind, number in kinds[outcome].items()])
        yield f"{title}: {told}.\n"
    yield f"![Memory, descriptors and threads over the minutes of the soak](reliability/{PLOT})\n"
    yield _when(result, "started_at") + "\n"


def _row(*cells: object) -> str:
    texts = [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells]
    return f"| {' | '.join(texts)} |"


def _when(result: dict[str, Any], name: str) -> str:
    versions = ", ".join([f"{tool} {version}" for tool, version in result["versions"].items()])
    machine = result.get("machine")
    where = f", {machine['cpu']}, {machine['cores']} cores" if machine else ""
    return f"Revision {result['revision']}, {result[name][:10]}, {versions}{where}."
