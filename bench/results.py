"""What was measured, as JSON: the only thing that reports are made from."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
"""Version of the layout below."""


@dataclass(frozen=True)
class Run:
    """One run of one peer under one scenario."""

    scenario: str
    peer: str
    round: int
    figures: dict[str, float] = field(default_factory=dict)
    """By name, its unit last: `requests_per_second`, `cpu_us`, `p99_ms`, `peak_rss_mb`."""
    series: dict[str, list[list[float]]] = field(default_factory=dict)
    """Points (x, y) of what becomes a curve: `latency_ms` by quantile, `rss_mb` by second."""
    failure: str | None = None
    """Why there are no figures, with the last lines of the peer's log; `None` for a good run."""


@dataclass
class Results:
    """A set of runs that were interleaved on one machine."""

    started_at: str
    """UTC, ISO 8601."""
    machine: dict[str, str]
    versions: dict[str, str]
    """Of peers, tools and the interpreter."""
    revision: str
    """Of the gateway: the commit, with `+` behind it when files differed from it."""
    settings: dict[str, float]
    """Seconds, rounds, cores."""
    runs: list[Run] = field(default_factory=list)
    overhead: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `bench.overhead`."""
    is_complete: bool = False
    """False while measuring, and ever after when it was interrupted."""

    def save(self, path: Path) -> None:
        """Write the whole set, so that there is a valid file at any time."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        content = {"format": FORMAT, **asdict(self)}
        # A run to a line: with the points of its curves it would be hundreds.
        runs = ",\n  ".join([json.dumps(run) for run in content.pop("runs")])
        facts = json.dumps(content, indent=1).removesuffix("\n}")
        draft.write_text(f'{facts},\n "runs": [\n  {runs}\n ]\n}}\n')
        os.replace(draft, path)

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Read what `save` wrote.

        Raises:
            ValueError: it is something else; the message says what.
        """
        try:
            content = json.loads(path.read_text())
            found = content.pop("format")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ValueError(f"{path} holds no results: {error!r}") from error
        if found != FORMAT:
            raise ValueError(f"{path} has layout {found}; this version reads {FORMAT}")
        try:
            runs = [Run(**run) for run in content.pop("runs")]
            return cls(runs=runs, **content)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no results: {error}") from error
