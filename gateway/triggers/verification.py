"""Verifies signatures in a thread, because a token can take two milliseconds with four keys.

There is one thread with a bounded queue.  So forged tokens cost the event loop only their parsing,
and the wait of other requests is bounded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from gateway.http.connection.gate import Deferral

_MAX_WAITING: Final = 64
"""The longest queue; each token takes at most 2.5 ms."""


class Verification:
    """A waiting or running verification: a `gate.Deferral`."""

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def when_over(self, callback: Callable[[], None]) -> None:
        """Let the loop call `callback` when it is over."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """Call the callbacks."""
        for callback in self._callbacks:
            callback()


class Chain(Verification):
    """A deferral followed by another one, if `then` returns one when the first is over."""

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
    """Runs verifications one after the other in a thread.

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
        """Call `verify`, which must not raise, in the thread, and then `then` on the loop.

        Callbacks of the result are called after `then`.  It returns `None` if too many wait
        already, except for requests that have waited for the keys (`has_waited`): those all begin
        at once when the keys arrive.
        """
        if self._waiting >= _MAX_WAITING and not has_waited:
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
                with suppress(RuntimeError):  # The loop is closed.
                    self._loop.call_soon_threadsafe(end)

        self._thread.submit(run)
        return verification
