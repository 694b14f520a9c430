"""Signatures are verified in a thread: four keys can take two milliseconds, and strangers choose.

One thread, and a bounded number that waits for it.  So who sends tokens that nobody has signed
costs the event loop no more than it takes to read them, and others wait for a known time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from gateway.http.connection.gate import Deferral

_MOST_WAITING: Final = 64
"""Tokens, each of which takes 2.5 ms at the most."""


class Verification:
    """One that waits, or runs: a `http.gate.Deferral`."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def when_over(self, callback: Callable[[], None]) -> None:
        """Have the loop call `callback` when it is over."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """Call them."""
        for callback in self._callbacks:
            callback()


class Chain(Verification):
    """One thing, and then another which is found when the first is over, if there is one."""

    __slots__ = ("_then",)

    def __init__(self, first: Deferral, then: Callable[[], Deferral | None]) -> None:
        super().__init__()
        self._then = then
        first.when_over(self._go_on)

    def _go_on(self) -> None:
        second = self._then()
        if second is None:
            self.end()
        else:
            second.when_over(self.end)


class Verifier:
    """Runs what it is given, one after the other, off the loop.

    All methods belong to the loop's thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gateway-tokens")
        self._waiting = 0

    def __repr__(self) -> str:
        return f"<Verifier {self._waiting} waiting>"

    def begin(
        self, verify: Callable[[], None], then: Callable[[], None], *, has_waited: bool = False
    ) -> Verification | None:
        """Have `verify` called in the thread, which must not raise, and `then` called on the loop.

        What waits for the outcome is called behind `then`.  `None`: too many wait already.  Who
        `has_waited` for the keys is never refused: all of them begin at once when those come.
        """
        if self._waiting >= _MOST_WAITING and not has_waited:
            return None
        self._waiting += 1
        verification = Verification()

        def end() -> None:
            self._waiting -= 1
            then()
            verification.end()

        def run() -> None:
            try:
                verify()
            finally:
                with suppress(RuntimeError):  # The loop is closed: nobody waits.
                    self._loop.call_soon_threadsafe(end)

        self._thread.submit(run)
        return verification
