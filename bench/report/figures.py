"""How figures are named and written on the page."""

from dataclasses import dataclass

from bench.statistics import Estimate

_DASH = "\N{EN DASH}"
NOTHING = "\N{EM DASH}"


@dataclass(frozen=True)
class Heading:
    """A figure's column."""

    text: str
    higher_is_better: bool = False


HEADINGS = {
    "requests_per_second": Heading("requests/s", True),
    "megabytes_per_second": Heading("MB/s", True),
    "goodput_share": Heading("of the peak", True),
    "goodput_per_cpu_share": Heading("of the peak, by CPU time", True),
    "served_p99_ms": Heading("p99 of those served, ms"),
    "refused_p99_ms": Heading("p99 of those refused, ms"),
    "quick_requests_per_second": Heading("quick requests/s", True),
    "quick_p99_ms": Heading("p99 of quick requests, ms"),
    "refusal_p99_ms": Heading("p99 of refusals, ms"),
    "quick_unloaded_p99_ms": Heading("the same unloaded, ms"),
    "start_ms": Heading("to the first answer, ms"),
    "import_ms": Heading("importing the handler alone, ms"),
    "help_ms": Heading("`--help`, ms"),
    "kb_per_connection": Heading("kB a connection"),
    "cpu_us": Heading("CPU µs a request"),
    "mean_ms": Heading("mean ms"),
    "p50_ms": Heading("p50 ms"),
    "p90_ms": Heading("p90 ms"),
    "p99_ms": Heading("p99 ms"),
    "p999_ms": Heading("p99.9 ms"),
    "peak_rss_mb": Heading("peak MB"),
    "rss_growth_mb": Heading("growth MB"),
    "error_share": Heading("errors, share"),
}
"""Known figures, in the order of their columns."""

OF_THE_LOAD = {"quick_unloaded_p99_ms", "import_ms"}
"""Figures that describe what was asked, not how well it was done."""


def heading(figure: str) -> Heading:
    """Of any figure; one that is not known keeps its name, and its direction is told by that."""
    return HEADINGS.get(figure) or Heading(figure, figure.endswith("per_second"))


def number(value: float) -> str:
    """About three digits that count, thousands apart."""
    size = abs(value)
    if size >= 100 or value == 0:
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.01 else 5
    return f"{value:.{digits}f}"


def exactly(value: float) -> str:
    """What somebody set, and not measured: no digits that say nothing."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def with_interval(found: Estimate | None) -> str:
    """`12.3 (11.9 to 13.0)`, and the figure alone when there was one run."""
    if found is None:
        return NOTHING
    if found.interval is None:
        return f"{number(found.value)} (one run)"
    low, high = (number(edge) for edge in found.interval)
    return f"{number(found.value)} ({low}{_DASH}{high})"


def alone(found: Estimate | None) -> str:
    """The figure without its interval."""
    return NOTHING if found is None else number(found.value)
