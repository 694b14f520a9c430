"""Two revisions of the gateway in turns, and what can be said of the difference."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.instructions import unpack
from bench.peers import ROOT, Peer
from bench.report.figures import number as in_digits
from bench.results import Results
from bench.scenarios import Scenario
from bench.statistics import CONFIDENCE, Estimate, estimate, ratio, samples

WORKING_TREE = "working tree"

_SIZE = ("smaller", "larger")
_WORDS = {"us": ("cheaper", "dearer"), "mb": _SIZE, "connection": _SIZE}
"""Better and worse, by the unit of a figure."""


def gateway_of(revision: str | None, stack: ExitStack) -> Peer:
    """The gateway of a revision, in a folder that lasts as long as `stack`; `None` for the tree.

    Raises:
        UsageError: git does not know the revision.
    """
    if revision is None:
        return _from(ROOT, WORKING_TREE)
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
    unpack(revision, folder, "gateway")
    return _from(folder, revision)


def _from(folder: Path, name: str) -> Peer:
    return Peer(
        name,
        # -P: or the working directory, which has the handlers, would come first with its gateway.
        ("{python}", "-P", "-m", "gateway", "serve", "{target}", "--port", "{port}"),
        environ={"PYTHONPATH": f"{folder}:{ROOT}"},
        arguments_of="gateway",
    )


def table(results: Results, scenarios: Sequence[Scenario], old: str, new: str) -> str:
    """A line for the figure of each scenario and one for its CPU time, where there is any."""
    lines = [f"{'scenario':18} {'figure':20} {old[:14]:>14} {new[:14]:>14}  the latter is"]
    for scenario in scenarios:
        for figure in dict.fromkeys((scenario.primary, "cpu_us")):
            before = samples(results, scenario.name, old, figure)
            after = samples(results, scenario.name, new, figure)
            if before and after:
                is_gain = scenario.higher_is_better and figure == scenario.primary
                said = verdict(ratio(after, before), figure, higher_is_better=is_gain)
                medians = [in_digits(estimate(found).value) for found in (before, after)]
                lines.append(
                    f"{scenario.name:18} {figure:20} {medians[0]:>14} {medians[1]:>14}  {said}"
                )
    return "\n".join(lines)


def verdict(change: Estimate, figure: str, *, higher_is_better: bool) -> str:
    """What new over old says: `faster by 4.1 % (2.9 to 5.3)`, or that it says nothing."""
    if change.interval is None:
        return f"{100 * (change.value - 1):+.1f} % in a single round, which shows nothing"
    low, high = (100 * (end - 1) for end in change.interval)
    if low <= 0 <= high:
        return f"no difference shown ({low:+.1f} to {high:+.1f} %)"
    better, worse = _WORDS.get(figure.rpartition("_")[2], ("faster", "slower"))
    word = better if (low > 0) == higher_is_better else worse
    nearer, farther = sorted((abs(low), abs(high)))
    said = f"{word} by {abs(100 * (change.value - 1)):.1f} % ({nearer:.1f} to {farther:.1f})"
    if change.confidence < CONFIDENCE:
        said += f", sure to {change.confidence:.0%} only: more rounds are needed"
    return said
