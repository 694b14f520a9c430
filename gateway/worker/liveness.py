"""Whether a worker can serve a new connection: what its beats tell the supervisor.

That the loop turns is no proof: a handler may have closed the listening socket, leaked every
descriptor, used up the memory or set a recursion limit under which nothing can be called, while the
connections that are open go on.  A connection to the own address would be no proof either: workers
share the socket, so another may answer it.

So each look has two parts.  The listening socket must still be there, and the last attempt to
accept must not have failed.  And a connection that the worker makes with itself, a pair of sockets
that goes the way of every accepted one, has to be answered: by the loop, a protocol, the parser and
an exchange of its own site, without a handler and without a record.

A listening socket that is gone does not come back.  Everything else may pass: it counts when it
has been so for `LOOKS` looks in a row.  They count looks and not time, so a loop that stands, or a
process that was stopped, does not fail by that.
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

LOOKS: Final = 5
"""In a row that have to fail."""

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
_ANSWER: Final = ResponseHead.of(status_of(204), ())
_BEGINNING: Final = b"HTTP/1.1 204 "

_ELSEWHERE: Final = frozenset({errno.ENFILE, errno.ENOBUFS})
"""What the whole system is short of, so that another process would be no better off."""


class Trial:
    """The application of the site that a worker's own connections come to."""

    def handle(self, exchange: Exchange) -> None:
        """Answer at once, on the loop."""
        exchange.respond_soon(_ANSWER, b"")

    is_short_of_threads = False

    def relieve(self) -> bool:
        """No thread answers here, so nobody is held up."""
        return True


class Liveness:
    """Looks whether a worker can serve a new connection."""

    def __init__(
        self, site: SharedState, listener: Listener, *, is_full: Callable[[], bool] = lambda: False
    ) -> None:
        """`site` has a `Trial` as its application.

        `is_full` tells whether connections hold most of the descriptors that there may be: then a
        lack of them is no fault.
        """
        self._site = site
        self._listener = listener
        self._is_full = is_full
        self._client: socket.socket | None = None
        """The near end of a trial that has not been answered yet."""
        self._was_refused = False
        """Whether the last trial had another answer than it should."""
        self._failed = 0
        """Looks in a row."""
        self.reason = ""
        """Why no new connection can be served; empty: they can, as far as is known."""

    def look(self, looks: int = LOOKS) -> bool:
        """Whether new connections can be served; to be called every now and then.

        `looks` have to fail in a row; a listening socket that is gone fails at once.
        """
        if self.reason:
            return False
        reason = ""
        try:
            reason = self._fault()
        except Exception as error:  # Memory, recursion, what user code has changed.
            reason = type(error).__name__
        self._failed = self._failed + 1 if reason else 0
        if self._listener.is_lost:
            self.reason = "the listening socket is gone"
        elif self._failed >= looks:
            self.reason = reason
        if not self.reason:
            return True
        self._end_trial()
        with suppress(Exception):  # The application may have broken the log.
            log.critical("no new connection can be served any more: %s", self.reason)
        return False

    def close(self) -> None:
        """Look no more."""
        self._end_trial()

    def _fault(self) -> str:
        """What is wrong at this look; empty: nothing."""
        error: Exception | None
        self._hear()  # The loop may have had no memory to watch for it.
        if self._client is not None or self._was_refused:
            self._was_refused = False
            return "a connection of its own is not answered"
        try:
            self._begin_trial()
            error = self._listener.failure
        except Exception as raised:
            error = raised
        if error is None:
            return ""
        code = getattr(error, "errno", None)
        if code in _ELSEWHERE or (code == errno.EMFILE and self._is_full()):
            return ""
        return str(getattr(error, "strerror", None) or type(error).__name__)

    def _begin_trial(self) -> None:
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
        """Take the answer to the trial, if it has come: nothing stays open until the next look."""
        if self._client is None:
            return
        try:
            said = self._client.recv(len(_BEGINNING))
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self._end_trial()
        self._was_refused = said != _BEGINNING

    def _end_trial(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                self._site.loop.remove_reader(client.fileno())
            client.close()
