"""The sources of keys for tokens: a file, read once, or a URL, fetched repeatedly.

A thread fetches from the URL, one request at a time: the loop never blocks, and the gateway is
ready before the first response.  A request that needs a missing key waits for the next response,
for a bounded time.  The rate of fetches that clients can cause is bounded, too.
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

_PERIOD_SECONDS: Final = 300.0
"""The interval of fetches."""

_FIRST_RETRY_SECONDS: Final = 1.0
_MAX_RETRY_SECONDS: Final = 60.0

_MAX_WAIT_SECONDS: Final = 5.0
"""The longest time that a request waits for keys."""

_THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")

_BURST: Final = 5
"""The most fetches that requests may cause in a row."""

_REFILL_SECONDS: Final = 10.0
"""After this time they may cause one more."""


class KeySource(Protocol):
    """Provides the keys, and fetches them if necessary."""

    @property
    def keys(self) -> KeySet | None:
        """The present keys; `None` if none have ever been available."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to fetch the keys if necessary, on the loop that will use them."""

    def refresh(self) -> Deferral | None:
        """Fetch newer keys; return what to wait for, or `None` if waiting is of no use."""


class TextSource:
    """The keys of a text, which never change."""

    def __init__(self, text: str, place: str = "--jwks") -> None:
        """Parse the text; `place` names its setting.

        Raises:
            UsageError: the text is not a key set.
        """
        try:
            self._keys = parse_key_set(text.encode())
        except BadKeySet as fault:
            raise UsageError(f"{place}: the key set {fault}; mend it") from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._keys!r}>"

    @property
    def keys(self) -> KeySet:
        """All keys."""
        return self._keys

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing: the keys are loaded."""

    def refresh(self) -> None:
        """Do nothing: new keys are loaded by the workers after a SIGHUP."""


class FileSource(TextSource):
    """The keys of a file."""

    def __init__(self, path: Path, place: str = "--jwks") -> None:
        """Read the file; `place` names its setting.

        Raises:
            UsageError: the file cannot be read or is not a key set.
        """
        data = content_of(path, place, most=MAX_BYTES)
        try:
            if len(data) > MAX_BYTES:
                raise BadKeySet("is larger than 1 MB")
            self._keys = parse_key_set(data)
        except BadKeySet as fault:
            raise UsageError(f"{place}: {str(path)!r} {fault}; check the file") from None


class _Wait:
    """The requests that wait for one fetch."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.is_over = False
        self._loop = loop
        self._callbacks: deque[Callable[[], None]] = deque()
        self._timer = loop.call_later(_MAX_WAIT_SECONDS, self.end)

    def when_over(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the fetch has ended or takes too long."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """Call the callbacks: the fetch has ended or takes too long."""
        if not self.is_over:
            self.is_over = True
            self._timer.cancel()
            self._call_next()

    def _call_next(self) -> None:
        """Call one callback per turn of the loop: each may verify a token, and there may be
        thousands."""
        if self._callbacks:
            callback = self._callbacks.popleft()
            self._loop.call_soon(self._call_next)
            callback()


class UrlSource:
    """The keys that an issuer publishes at a URL.

    All methods belong to the loop's thread; call `start` there first.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], bytes] | None = None,
        period: float = _PERIOD_SECONDS,
    ) -> None:
        """`fetch` returns the text at a URL, in a thread, or raises `FetchError`."""
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in _THIS_MACHINE:
            log.warning("--jwks: over http anybody on the way can exchange the keys; use https")
        self._url = url
        self._fetch = fetch or fetch_text
        self._period = period
        self._keys: KeySet | None = None
        self._mark = b""
        """The hash of the keys' text, to avoid parsing and warning again."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wait: _Wait | None = None
        """The wait for the fetch that is under way."""
        self._timer: asyncio.TimerHandle | None = None
        self._retry = _FIRST_RETRY_SECONDS
        self._has_failed = False
        self._allowed = float(_BURST)
        self._counted_at = 0.0

    def __repr__(self) -> str:
        return f"<UrlSource {urlsplit(self._url).hostname} {self._keys!r}>"

    @property
    def keys(self) -> KeySet | None:
        """The keys of the last good response."""
        return self._keys

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fetch for the first time, and repeatedly from then on."""
        self._loop = loop
        self._counted_at = loop.time()
        self._ask()

    def refresh(self) -> Deferral | None:
        """Fetch, unless a fetch is under way or there were too many."""
        loop = self._loop
        if loop is None:
            return None
        if self._wait is not None:
            return None if self._wait.is_over else self._wait
        if self._keys is None and self._has_failed:
            return None  # The next fetch is soon; requests must not wait for a server that is down.
        now = loop.time()
        self._allowed = min(_BURST, self._allowed + (now - self._counted_at) / _REFILL_SECONDS)
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
        except RuntimeError as error:  # The limit of threads is reached.
            self._loop.call_soon(self._take, self._keys, self._mark, str(error))
        return wait

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fetch, in the thread."""
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
        except Exception as error:  # Any other error must not end the fetching.
            fault = f"the answer could not be read: {type(error).__name__}"
        with suppress(RuntimeError):  # The worker has ended.
            loop.call_soon_threadsafe(self._take, keys, mark, fault)

    def _take(self, keys: KeySet | None, mark: bytes, fault: str) -> None:
        """Take the result of a fetch."""
        assert self._loop is not None
        self._has_failed = bool(fault)
        if fault:
            log.warning("--jwks: %s", fault)
            pause = self._retry
            self._retry = min(self._retry * 2, _MAX_RETRY_SECONDS)
        else:
            self._keys, self._mark = keys, mark
            pause, self._retry = self._period, _FIRST_RETRY_SECONDS
        self._timer = self._loop.call_later(pause, self._ask)
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.end()
