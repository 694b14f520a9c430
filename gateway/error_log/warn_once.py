"""Warnings about what a function does wrong and what works all the same: each is logged once."""

import logging
from contextlib import suppress
from typing import Final

_MAX_MESSAGES: Final = 100
"""Different messages that are logged; a message may quote what a client has sent."""


class WarnOnce:
    """A callable that logs each message the first time; safe in any thread."""

    __slots__ = ("_log", "_messages")

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._messages: set[str] = set()

    def __repr__(self) -> str:
        return f"<WarnOnce {len(self._messages)} logged>"

    def __call__(self, message: str) -> None:
        """Log `message`, unless it has been logged or too many others have."""
        if message not in self._messages and len(self._messages) < _MAX_MESSAGES:
            self._messages.add(message)
            with suppress(Exception):  # The handler may have broken the log.
                self._log.warning("%s", message)
