"""Warnings about faults that can happen many times a second, in few lines.

The first line comes at once, further ones with counts at most every `interval`, and a last one when
the fault is over.  `note` only counts; the sweep calls `check`, which writes the lines.  Code that
cannot wait for the sweep calls `check` as well.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final

INTERVAL_SECONDS: Final = 10.0
"""Seconds between two lines about one fault, and without a fault until it is over."""


class RateLimitedWarning:
    """The warning about one kind of fault."""

    __slots__ = (
        "_begun_at",
        "_count",
        "_interval",
        "_last",
        "_lock",
        "_log",
        "_mend",
        "_told_at",
        "_total",
        "_what",
        "_why",
        "state",
    )

    def __init__(
        self,
        log: logging.Logger,
        what: str,
        why: str,
        mend: str,
        *,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        """`what` follows a number, as in "requests were refused"; `mend` says what to do.

        `interval` is in seconds.
        """
        self._log = log
        self._what = what
        self._why = why
        self._mend = mend
        self._interval = interval
        self.state: Callable[[], str] | None = None
        """Describes the present state in each line, if set."""
        self._lock = Lock()
        self._count = 0
        """Occurrences since the last line."""
        self._last = ""
        """The text of `note` about the last occurrence since then."""
        self._total = 0
        """Occurrences in the lines so far."""
        self._begun_at: float | None = None
        self._told_at = 0.0

    def __repr__(self) -> str:
        return f"<RateLimitedWarning {self._total}+{self._count} {self._what}>"

    def note(self, count: int = 1, *, last: str = "") -> None:
        """Count occurrences; safe in any thread.

        `last` describes the last one in a few words; the next line quotes it.
        """
        with self._lock:
            self._count += count
            self._last = last

    def check(self, now: float) -> None:
        """Called by the sweep; `now` is `time.monotonic()`."""
        if self._begun_at is None:
            if self._count:
                self._begun_at = now
                self._tell(now, "")
        elif now - self._told_at >= self._interval:
            if self._count:
                self._tell(now, f" in the last {now - self._told_at:.0f} s")
            else:
                self._end(now)

    def close(self, now: float) -> None:
        """Write the last line: `check` is not called any more."""
        if self._count:
            self._tell(now, " since the last line" if self._begun_at is not None else "")
        self._begun_at = None
        self._total = 0

    def _tell(self, now: float, when: str) -> None:
        with self._lock:
            count, self._count = self._count, 0
            last, self._last = self._last, ""
        self._total += count
        self._told_at = now
        state = f" ({self.state()})" if self.state is not None else ""
        if last:
            state += f" (the last: {last})"
        with suppress(Exception):  # The application may have broken the log.
            self._log.warning(
                "%s %s%s: %s%s; %s",
                *(f"{count:,}", self._what, when, self._why, state, self._mend),
            )

    def _end(self, now: float) -> None:
        assert self._begun_at is not None
        seconds = max(1.0, self._told_at - self._begun_at)
        total, self._total, self._begun_at = self._total, 0, None
        with suppress(Exception):
            self._log.info(
                "it is over: %s %s within %.0f s, and none for %.0f s",
                *(f"{total:,}", self._what, seconds, now - self._told_at),
            )
