"""The plots of the page, as PNG: an SVG of as many points is thousands of lines in the history."""

from pathlib import Path

import matplotlib as mpl

from bench.report import bars, curves, waterfall
from bench.report.look import RC
from bench.results import Results

THROUGHPUT = "throughput.png"
CPU = "cpu.png"
LATENCY = "latency.png"
OVERHEAD = "overhead.png"
MEMORY = "memory.png"

_DOTS_PER_INCH = 150

_PLOTS = {
    THROUGHPUT: (bars.throughput, "Requests per second by peer"),
    CPU: (bars.cpu, "CPU time of a request by peer"),
    LATENCY: (curves.latency, "Waiting times at fixed rates by peer"),
    OVERHEAD: (waterfall.overhead, "How the overhead of an invocation adds up"),
    MEMORY: (curves.memory, "Resident memory over time by peer"),
}


def draw(results: Results, folder: Path) -> dict[str, str]:
    """Write what the results have data for; file names, and what each shows.

    Raises:
        OSError: a file cannot be written.
    """
    drawn = {}
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        for name, (plot, text) in _PLOTS.items():
            figure = plot(results)
            if figure is None:
                # That of an earlier set would pass for this one's.
                (folder / name).unlink(missing_ok=True)
                continue
            figure.savefig(folder / name, dpi=_DOTS_PER_INCH, metadata={"Software": None})
            drawn[name] = text
    return drawn
