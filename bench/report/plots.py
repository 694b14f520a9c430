"""The plots of the page, as SVG."""

from pathlib import Path

import matplotlib as mpl

from bench.report import bars, curves, waterfall
from bench.report.look import RC
from bench.results import Results

THROUGHPUT = "throughput.svg"
CPU = "cpu.svg"
LATENCY = "latency.svg"
OVERHEAD = "overhead.svg"
MEMORY = "memory.svg"

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
            figure.savefig(folder / name, format="svg", metadata={"Date": None, "Creator": None})
            drawn[name] = text
    return drawn
