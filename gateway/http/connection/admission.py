"""The cap on connections, and which connection is closed when the cap is reached.

A new connection first replaces the one that has been idle for longest: its client requests nothing
(or trickles a head) and must expect the close (RFC 9112 §9.5), or has its last response already.
If none is idle, the new connection replaces one that trickles a body, the slowest first.  So
clients that only hold connections keep nobody out.  If every connection has a request, the new
connection gets 503.

A client that is turned away has a few seconds to read the response.  When these clients become too
many, the one that has had the most time is closed, so that each of them gets its 503.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, cast

from gateway.error_log.loggers import logger
from gateway.errors import ConnectionLimit
from gateway.http.connection.connection import Connection
from gateway.http.connection.endpoints import stands_for_standard
from gateway.http.connection.lingering import Lingering
from gateway.http.connection.shared_state import Client, SharedState

log = logger("gateway.connection")

_LINGER_SECONDS: Final = 2.0
"""A client that is turned away has this long to read the response."""

_TRICKLE: Final = 4 * 1024
"""Bytes per second.  A slower upload trickles."""


class Admission:
    """Makes the protocols of new connections; the listener calls it for each."""

    def __init__(
        self,
        site: SharedState,
        max_connections: int,
        max_turned_away: int,
        new_connection: Callable[[SharedState], asyncio.Protocol] = Connection,
    ) -> None:
        """Beyond `max_connections`, up to `max_turned_away` clients at a time get 503."""
        self._site = site
        self._max_connections = max_connections
        self._max_turned_away = max_turned_away
        self._new_connection = new_connection
        self._waiting: list[tuple[float, Client]] = []
        """Idle connections, each with the loop's time since which it is idle, the longest last."""
        self.arriving: Callable[[], int] = lambda: 0
        """Number of admitted connections that are not among the site's connections yet."""
        self._trickling: list[tuple[float, Client]] = []
        """Trickling connections, each with its bytes per second, the slowest last."""
        self._is_fresh = False
        """Whether both lists were made since the last sweep: only the next one can find more."""
        self._reading: OrderedDict[Lingering, None] = OrderedDict()
        """Clients that are turned away and may still read the response, the oldest first."""

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if self.room() > 0 or self._make_room():
            return self.admit()
        self._site.troubles.turned_away.note()
        return TurnedAway(self._site, self._linger)

    def _linger(self, transport: asyncio.Transport) -> None:
        """Let the client read the response while there is room for it."""
        reading = self._reading
        for lingering in [one for one in reading if one not in self._site.connections]:
            del reading[lingering]
        while len(reading) >= max(1, self._max_turned_away):
            reading.popitem(last=False)[0].close()
        # It is beyond the cap: closing it would not make room for another.
        reading[Lingering(self._site, transport, _LINGER_SECONDS, makes_room=False)] = None

    def room(self) -> int:
        """How many more connections there may be."""
        return self._max_connections - len(self._site.connections) - self.arriving()

    def is_full(self) -> bool:
        """Whether half of the allowed connections are open: with them, most of the open files."""
        return 2 * len(self._site.connections) >= self._max_connections

    def _make_room(self) -> bool:
        """Close a connection that is idle or trickles, if there is one."""
        if not self._is_fresh:
            self._is_fresh = True
            waiting = [(client.waits_since, client) for client in self._site.connections]
            self._waiting = [pair for pair in waiting if pair[0]]
            self._waiting.sort(key=lambda pair: -pair[0])
            paces = [(client.pace, client) for client in self._site.connections]
            self._trickling = [
                (pace, client) for pace, client in paces if pace is not None and pace < _TRICKLE
            ]
            self._trickling.sort(key=lambda pair: -pair[0])
        while self._waiting:
            since, client = self._waiting.pop()
            if client.waits_since == since and self._closes(client):
                return True
        while self._trickling:
            _, client = self._trickling.pop()
            if client.pace is not None and self._closes(client):
                return True
        return False

    def _closes(self, client: Client) -> bool:
        is_closed = client.make_room()
        if is_closed:
            self._site.troubles.made_room.note()
        return is_closed

    def admit(self) -> asyncio.Protocol:
        """The protocol of a connection that exists already, whatever the cap."""
        return self._new_connection(self._site)

    def check(self, now: float) -> None:  # noqa: ARG002  # a check of the sweep takes it
        """Called by each sweep, after the connections' deadlines."""
        self._is_fresh = False
        self._waiting.clear()
        self._trickling.clear()


class TurnedAway(asyncio.Protocol):
    """A connection beyond the cap: it gets 503 without a look at its request."""

    def __init__(self, site: SharedState, linger: Callable[[asyncio.Transport], None]) -> None:
        """`linger` takes over the transport with the response written to it."""
        self._site = site
        self._linger = linger

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        if stands_for_standard(transport):
            transport.abort()
            return
        refusal = ConnectionLimit("the gateway has reached its maximum of connections")
        request_id = self._site.next_request_id()
        response, body = self._site.error_style.refusal(refusal, request_id)
        constant = self._site.constant_fields + request_id
        head = self._site.exchange_type.seal(response.encode(None, len(body), False, constant))
        transport.write(head + body)
        self._linger(transport)
