"""What a soak knows of its requests: what was asked, what came of it, and what the log must say."""

import json
import time
from array import array
from collections import Counter
from collections.abc import Iterable

MOST_TOLD = 20
"""Violations that are kept with their words."""

_MOMENT = 3.0
"""Seconds around the end of a worker, in which connections may be cut by it."""


class Score:
    """Counts outcomes; a request's token is its number."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """`served`, `refused`, `faults`, `lost`, `wrong`, `cut_by_exit`, and the kinds of both."""
        self.told: list[str] = []
        self._statuses = array("H")
        """By token: the status of its whole answer; 0 while there is none."""
        self._ended_at = -_MOMENT
        """When a worker was made to end."""

    def new_token(self) -> str:
        self._statuses.append(0)
        return f"t{len(self._statuses) - 1}"

    def served(self, token: str, status: int, kind: str) -> None:
        """A request has the answer that it must have."""
        self._statuses[int(token[1:])] = status
        self.counts["served"] += 1
        self.counts[f"served: {kind}"] += 1

    def refused(self, kind: str, *, has_head: bool = False) -> None:
        """A refusal came, as the rule says; `has_head`: with a target, so not nameless."""
        self.counts["refused"] += 1
        self.counts[f"refused: {kind}"] += 1
        if not has_head:
            self.counts["nameless"] += 1

    def survived(self, kind: str) -> None:
        """A fault was injected, and all that may come of it has come."""
        self.counts["faults"] += 1
        self.counts[f"fault: {kind}"] += 1

    def violated(self, what: str, error: Exception) -> None:
        """A request has lost its answer, or has a wrong one."""
        if what == "lost" and time.monotonic() - self._ended_at < _MOMENT:
            what = "cut_by_exit"
        else:
            self.told[MOST_TOLD:] = []
            self.told.append(f"{what}: {error}")
        self.counts[what] += 1

    def note_exit(self) -> None:
        """A worker is about to be ended."""
        self._ended_at = time.monotonic()

    def check_log(self, lines: Iterable[str]) -> dict[str, int]:
        """Hold the access log against what was seen; what it says, in numbers.

        `doubled` requests have two records, `unlogged` ones were answered without a record,
        `contradicted` ones have another status there.
        """
        times = array("B", bytes(len(self._statuses)))
        found = Counter(records=0, nameless=0, missing=0, doubled=0, contradicted=0)
        for line in lines:
            record = json.loads(line)
            if "missing_lines" in record:
                found["missing"] += record["missing_lines"]
                continue
            found["records"] += 1
            parts = record["target"].partition("?")[0].split("/")
            if len(parts) < 3 or not parts[2][1:].isdigit():
                found["nameless"] += 1
                continue
            token = int(parts[2][1:])
            times[token] += 1
            found["doubled"] += times[token] == 2
            status = self._statuses[token]
            found["contradicted"] += status not in (0, record["status"])
        found["unlogged"] = sum(
            status != 0 and logged == 0
            for status, logged in zip(self._statuses, times, strict=True)
        )
        return dict(found)
