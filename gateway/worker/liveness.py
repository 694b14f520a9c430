"""Checks whether a worker can serve a new connection; its beats report the result.

A turning loop proves little: a handler may have closed the listening socket, leaked every
descriptor, used up the memory or set a recursion limit under which nothing can be called, while
open connections go on.  A connection to the worker's own address proves little either: workers
share the socket, so another worker may accept it.

So each look has two parts.  The listening socket must still exist, and the last attempt to accept
must not have failed.  And a probe must get its response: a socket pair whose far end takes the way
of every accepted connection, through the loop, a protocol, the parser and an exchange, without a
handler and without a log record.

A lost listening socket does not come back.  Every other fault may pass, so it counts after
`MAX_FAILED_LOOKS` consecutive looks.  Looks count, not time, so a blocked loop or a stopped process
does not fail by waiting.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.error_log.loggers import logger
from gateway.http.connection.connection import Connection
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead
from gateway.sockets.accepting import Listener

log = logger("gateway.server")

MAX_FAILED_LOOKS: Final = 5
"""Consecutive failures after which the worker cannot serve."""

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
_RESPONSE: Final = ResponseHead.of(status_of(204), ())
_RESPONSE_START: Final = b"HTTP/1.1 204 "

_SYSTEM_WIDE: Final = frozenset({errno.ENFILE, errno.ENOBUFS})
"""Shortages of the whole system, which a replacement would have as well."""


class ProbeApplication:
    """The application that responds to probes."""

    def handle(self, exchange: Exchange) -> None:
        """Respond at once, on the loop."""
        exchange.respond_soon(_RESPONSE, b"")

    is_short_of_threads = False

    def relieve(self) -> bool:
        """True: responses need no thread, so no connection is stalled."""
        return True


class Liveness:
    """Checks whether a worker can serve a new connection."""

    def __init__(
        self, site: SharedState, listener: Listener, *, is_full: Callable[[], bool] = lambda: False
    ) -> None:
        """`site` has a `ProbeApplication` as its application.

        `is_full` says whether connections hold most of the allowed descriptors; a lack of
        descriptors is then no fault.
        """
        self._site = site
        self._listener = listener
        self._is_full = is_full
        self._client: socket.socket | None = None
        """The near end of a probe without a response yet."""
        self._has_failed_probe = False
        """Whether the last probe got a wrong response."""
        self._failed_looks = 0
        """Consecutive failed looks."""
        self.reason = ""
        """Why no new connection can be served; empty as long as none is known to fail."""

    def look(self, looks: int = MAX_FAILED_LOOKS) -> bool:
        """Whether new connections can be served; call it at regular intervals.

        It fails after `looks` consecutive failures, or at once when the listening socket is lost.
        """
        if self.reason:
            return False
        reason = ""
        try:
            reason = self._fault()
        except Exception as error:  # MemoryError, RecursionError, or what user code has changed.
            reason = type(error).__name__
        self._failed_looks = self._failed_looks + 1 if reason else 0
        if self._listener.is_lost:
            self.reason = "the listening socket is gone"
        elif self._failed_looks >= looks:
            self.reason = reason
        if not self.reason:
            return True
        self._end_probe()
        with suppress(Exception):  # The application may have broken the log.
            log.critical("no new connection can be served any more: %s", self.reason)
        return False

    def close(self) -> None:
        """End the probe."""
        self._end_probe()

    def _fault(self) -> str:
        """The fault found by this look; empty if there is none."""
        error: Exception | None
        self._hear()  # The loop may have lacked the memory to watch the probe.
        if self._client is not None or self._has_failed_probe:
            self._has_failed_probe = False
            return "a connection of its own is not answered"
        try:
            self._begin_probe()
            error = self._listener.failure
        except Exception as raised:
            error = raised
        if error is None:
            return ""
        code = getattr(error, "errno", None)
        if code in _SYSTEM_WIDE or (code == errno.EMFILE and self._is_full()):
            return ""
        return str(getattr(error, "strerror", None) or type(error).__name__)

    def _begin_probe(self) -> None:
        self._client, theirs = socket.socketpair()
        try:
            self._client.setblocking(False)
            self._client.send(_REQUEST)
        except Exception:
            theirs.close()
            raise
        self._listener.connect(theirs, self._new_protocol)
        with suppress(Exception):
            self._site.loop.add_reader(self._client.fileno(), self._hear)

    def _new_protocol(self) -> asyncio.BaseProtocol:
        return Connection(self._site)

    def _hear(self) -> None:
        """Read the response to the probe, if it has arrived, and close the probe."""
        if self._client is None:
            return
        try:
            said = self._client.recv(len(_RESPONSE_START))
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self._end_probe()
        self._has_failed_probe = said != _RESPONSE_START

    def _end_probe(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                self._site.loop.remove_reader(client.fileno())
            client.close()
