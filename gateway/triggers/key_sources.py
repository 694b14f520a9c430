"""Where the keys for tokens come from: a file, read once, or a URL, asked again and again.

A URL is asked in a thread of its own, one question at a time: the loop waits for nobody, and the
gateway is ready before the first answer.  Who needs a key that is not there waits for the next
answer, bounded in time; how often strangers can cause a question is bounded, too.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Final, Protocol
from urllib.parse import urlsplit

from gateway.error_log.loggers import logger
from gateway.errors import UsageError
from gateway.http.connection.gate import Deferral
from gateway.text.input_file import content_of
from gateway.triggers.key_set import MAX_BYTES, BadKeySet, KeySet, parse_key_set
from gateway.triggers.text_at_url import FetchError, fetch_text

log = logger("gateway.triggers")

_PERIOD: Final = 300.0
"""Seconds after which a URL is asked again."""

_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 60.0

_LONGEST_WAIT: Final = 5.0
"""Seconds for which a request waits for an answer."""

_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")

_BURST: Final = 5
"""Questions that requests may cause at once."""

_PAUSE: Final = 10.0
"""Seconds after which they may cause one more."""


class KeySource(Protocol):
    """Has the keys, or goes to get them."""

    @property
    def keys(self) -> KeySet | None:
        """Those that are known; `None`: they have never been there."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go to get them, if need be, on the loop that will ask."""

    def refresh(self) -> Deferral | None:
        """Ask for newer ones; what to wait for, `None` if there is nothing to be hoped for."""


class TextSource:
    """The keys of a text, which are all that there will ever be."""

    def __init__(self, text: str, place: str = "--jwks") -> None:
        """Raises UsageError: it is no key set; `place` is where it was found."""
        try:
            self._keys = parse_key_set(text.encode())
        except BadKeySet as fault:
            raise UsageError(f"{place}: the key set {fault}; mend it") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._keys!r}>"

    @property
    def keys(self) -> KeySet:
        """All that there are."""
        return self._keys

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Nothing: they are there."""

    def refresh(self) -> None:
        """Nothing: whatever may be new comes with the worker after a SIGHUP."""


class FileSource(TextSource):
    """The keys of a file."""

    def __init__(self, path: Path, place: str = "--jwks") -> None:
        """Read them; `place` is where the file was named.

        Raises:
            UsageError: there is no such file, or it is no key set.
        """
        data = content_of(path, place, most=MAX_BYTES)
        try:
            if len(data) > MAX_BYTES:
                raise BadKeySet("is larger than 1 MB")
            self._keys = parse_key_set(data)
        except BadKeySet as fault:
            raise UsageError(f"{place}: {str(path)!r} {fault}; check the file") from None


class _Wait:
    """For those that wait for the answer to one question."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_over = False
        self._loop = loop
        self._callbacks: deque[Callable[[], None]] = deque()
        self._timer = loop.call_later(_LONGEST_WAIT, self.end)

    def when_over(self, callback: Callable[[], None]) -> None:
        """Have it called when the answer has come, or is late."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """The answer has come, or is late."""
        if not self.is_over:
            self.is_over = True
            self._timer.cancel()
            self._call_next()

    def _call_next(self) -> None:
        """One in a turn of the loop: each may verify a token, and there may be thousands."""
        if self._callbacks:
            callback = self._callbacks.popleft()
            self._loop.call_soon(self._call_next)
            callback()


class UrlSource:
    """The keys that an issuer publishes at a URL.

    Its methods are the loop's; `start` has to be called on it.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], bytes] | None = None,
        period: float = _PERIOD,
    ) -> None:
        """`fetch` gets the text at a URL, in a thread, and raises `FetchError`."""
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            log.warning("--jwks: over http anybody on the way can exchange the keys; use https")
        self._url = url
        self._fetch = fetch or fetch_text
        self._period = period
        self._keys: KeySet | None = None
        self._mark = b""
        """The hash of their text: what is known is not parsed again, nor warned of."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wait: _Wait | None = None
        """For the answer to the question that is under way."""
        self._timer: asyncio.TimerHandle | None = None
        self._retry = _FIRST_RETRY
        self._has_failed = False
        self._allowed = float(_BURST)
        self._counted_at = 0.0

    def __repr__(self) -> str:
        return f"<UrlSource {urlsplit(self._url).hostname} {self._keys!r}>"

    @property
    def keys(self) -> KeySet | None:
        """Those of the last good answer."""
        return self._keys

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask for the first time, and from then on every now and then."""
        self._loop = loop
        self._counted_at = loop.time()
        self._ask()

    def refresh(self) -> Deferral | None:
        """Ask, unless the question is under way, or has been caused too often."""
        loop = self._loop
        if loop is None:
            return None
        if self._wait is not None:
            return None if self._wait.is_over else self._wait
        if self._keys is None and self._has_failed:
            return None  # It is asked again soon; nobody is to wait for a server that is down.
        now = loop.time()
        self._allowed = min(_BURST, self._allowed + (now - self._counted_at) / _PAUSE)
        self._counted_at = now
        if self._allowed < 1:
            return None
        self._allowed -= 1
        return self._ask()

    def _ask(self) -> Deferral:
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait = self._wait = _Wait(self._loop)
        try:
            Thread(target=self._run, args=(self._loop,), name="jwks", daemon=True).start()
        except RuntimeError as error:  # There may be no more threads.
            self._loop.call_soon(self._take, self._keys, self._mark, str(error))
        return wait

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread."""
        keys, mark, fault = self._keys, self._mark, ""
        try:
            text = self._fetch(self._url)
            mark = sha256(text).digest()
            if keys is None or mark != self._mark:
                keys = parse_key_set(text)
        except BadKeySet as error:
            fault = f"the answer {error}"
        except FetchError as error:
            fault = str(error)
        except Exception as error:  # Whatever else it is: the next question is to come.
            fault = f"the answer could not be read: {type(error).__name__}"
        with suppress(RuntimeError):  # The worker has ended.
            loop.call_soon_threadsafe(self._take, keys, mark, fault)

    def _take(self, keys: KeySet | None, mark: bytes, fault: str) -> None:
        """The answer has come."""
        assert self._loop is not None
        self._has_failed = bool(fault)
        if fault:
            log.warning("--jwks: %s", fault)
            pause = self._retry
            self._retry = min(self._retry * 2, _LAST_RETRY)
        else:
            self._keys, self._mark = keys, mark
            pause, self._retry = self._period, _FIRST_RETRY
        self._timer = self._loop.call_later(pause, self._ask)
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.end()
