"""Tables of the page in Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from bench.criteria import NOT_MEASURED, OURS, Bound, Judgement
from bench.report.figures import NOTHING, OF_THE_LOAD, alone, exactly, heading, with_interval
from bench.report.scenes import FLOOR, Row, Scene, maybe_ratio
from bench.results import Results, Run
from bench.statistics import samples
from bench.targets import TARGETS


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", r"\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values."""
    return table(("", ""), ((name, str(value)) for name, value in pairs))


def targets_table(results: Results) -> str:
    """One row for each criterion; the promise itself stands in its first."""
    head = ("", "target", "measured", "ours", "beside", "result", "bound", "verdict")
    return table(head, _target_rows(results))


def _target_rows(results: Results) -> Iterator[list[str]]:
    for target in TARGETS:
        first = [target.number, target.text]
        for criterion in target.criteria:
            found = criterion.judge(results)
            yield [
                *first,
                criterion.text,
                alone(found.ours),
                alone(found.reference),
                with_interval(found.measured),
                _bound(criterion.bound),
                _verdict(found),
            ]
            first = ["", ""]


def _bound(bound: Bound) -> str:
    edges = (("≥", bound.at_least), ("≤", bound.at_most))
    words = [f"{sign} {exactly(edge)}" for sign, edge in edges if abs(edge) != float("inf")]
    return f"{', '.join(words)} {bound.unit}" if words else NOTHING


def _verdict(found: Judgement) -> str:
    if found.verdict == NOT_MEASURED:
        return f"{NOT_MEASURED}: {found.reason}"
    return f"**{found.verdict}**"


def scene_table(scene: Scene) -> str:
    """A row for each peer, the best first; intervals where peers are compared."""
    others = [figure for figure in scene.figures if figure != scene.primary]
    shown = [figure for figure in others if any(_tells(row, figure) for row in scene.rows)]
    columns = (heading(figure).text for figure in shown)
    head = ("peer", heading(scene.primary).text, "beside ours", *columns, "runs")
    return table(head, (_scene_row(row, scene, shown) for row in scene.rows))


def _tells(row: Row, figure: str) -> bool:
    """An error share that is 0 everywhere does not."""
    return figure in row.figures and (figure != "error_share" or row.figures[figure].value > 0)


def _scene_row(row: Row, scene: Scene, shown: list[str]) -> list[str]:
    is_ours = row.peer == OURS
    primary = row.figures.get(scene.primary)
    runs = str(primary.runs if primary else 0)
    return [
        f"**{row.peer}**" if is_ours else row.peer,
        with_interval(primary),
        NOTHING if is_ours else with_interval(row.beside_ours),
        *(alone(row.figures.get(figure)) for figure in shown),
        f"{runs}, {row.failures} failed" if row.failures else runs,
    ]


def wins_table(results: Results, scenes: Iterable[Scene]) -> str:
    """Each peer with its medians that are better than ours, by scenario; empty without any."""
    rows = [row for scene in scenes for row in _wins(results, scene)]
    return table(("scenario", "peer", "its figures beside ours"), rows) if rows else ""


def _wins(results: Results, scene: Scene) -> Iterator[list[str]]:
    ours = scene.row(OURS)
    if ours is None:
        return
    for row in scene.rows:
        better = [] if row.peer == FLOOR else [*_better(results, scene, ours, row)]
        if better:
            yield [scene.title, row.peer, "; ".join(better)]


def _better(results: Results, scene: Scene, ours: Row, peer: Row) -> Iterator[str]:
    """The peer's figures that are better than ours, each with its ratio to ours."""
    for figure in scene.figures:
        mine, found = ours.figures.get(figure), peer.figures.get(figure)
        if mine is None or found is None or figure in OF_THE_LOAD:
            continue
        sign = 1 if scene.is_higher_better(figure) else -1
        if sign * (found.value - mine.value) > 0:
            sides = (samples(results, scene.name, row.peer, figure) for row in (peer, ours))
            name = heading(figure).text
            shown = f"**{name}**" if figure == scene.primary else name
            yield f"{shown} {with_interval(maybe_ratio(*sides))}"


def failures_list(runs: Iterable[Run]) -> str:
    """Failed runs with their reasons; runs that failed alike are told once."""
    alike: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        if run.failure is not None:
            reason = run.failure.strip().partition("\n")[0] or "no reason was recorded"
            alike.setdefault((run.scenario, run.peer, reason), []).append(run)
    return "".join(_failure(*key, failed) for key, failed in sorted(alike.items()))


def _failure(scenario: str, peer: str, reason: str, failed: list[Run]) -> str:
    rounds = ", ".join(str(run.round) for run in failed)
    word = "round" if len(failed) == 1 else "rounds"
    log = (failed[-1].failure or "").strip().partition("\n")[2].strip("\n")
    # Indented, so that nothing in a peer's log ends the block.
    lines = "".join(f"      {line}\n" if line.strip() else "\n" for line in log.splitlines())
    return f"- {scenario}, {peer}, {word} {rounds}: {reason}\n" + (f"\n{lines}\n" if lines else "")
