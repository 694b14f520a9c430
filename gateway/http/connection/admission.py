"""Who may connect: a cap on connections, and who makes room when it is reached.

A connection with nothing under way, waiting for the longest time, is closed for a newcomer: its
client asks for nothing (or trickles a head), and must expect it (RFC 9112 §9.5), or it has been
told its last.  Where there is none, the one goes that trickles a body, the slowest first.  So
clients that only hold connections keep nobody out.  Where every connection has a request, the
newcomer gets 503.

Who is turned away has some time to read why.  When these have become many, the one that has had
the longest is closed for the next, so that each is told.
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

_LINGER: Final = 2.0
"""Seconds in which somebody turned away may read why."""

_TRICKLE: Final = 4 * 1024
"""Bytes per second, with less of which the body of a request trickles."""


class Admission:
    """Makes the protocols of new connections; called by the listener for each."""

    def __init__(
        self,
        site: SharedState,
        max_connections: int,
        max_turned_away: int,
        new_connection: Callable[[SharedState], asyncio.Protocol] = Connection,
    ) -> None:
        """Beyond `max_connections`, up to `max_turned_away` at a time are told 503."""
        self._site = site
        self._max_connections = max_connections
        self._max_turned_away = max_turned_away
        self._new_connection = new_connection
        self._waiting: list[tuple[float, Client]] = []
        """Who can make room, and since when, the longest-waiting last."""
        self.arriving: Callable[[], int] = lambda: 0
        """How many connections have been let in that are not among the site's yet."""
        self._trickling: list[tuple[float, Client]] = []
        """Who can make room if there is nobody else, and how fast it is, the slowest last."""
        self._is_fresh = False
        """Whether these are of the present sweep: nobody new can be found before the next."""
        self._told: OrderedDict[Lingering, None] = OrderedDict()
        """Those turned away that may still read why, the first of them first."""

    def __call__(self) -> asyncio.Protocol:
        """The protocol of one more connection."""
        if self.room() > 0 or self._make_room():
            return self.admit()
        self._site.troubles.turned_away.note()
        return TurnedAway(self._site, self._tell)

    def _tell(self, transport: asyncio.Transport) -> None:
        """Have the client read what has been written, for as long as there is room for that."""
        told = self._told
        for lingering in [one for one in told if one not in self._site.connections]:
            del told[lingering]
        while len(told) >= max(1, self._max_turned_away):
            told.popitem(last=False)[0].close()
        # It stands beyond the cap: who came for its room would, too.
        told[Lingering(self._site, transport, _LINGER, makes_room=False)] = None

    def room(self) -> int:
        """How many more connections there may be."""
        return self._max_connections - len(self._site.connections) - self.arriving()

    def is_full(self) -> bool:
        """Whether connections hold half of what they may, and so most of the open files."""
        return 2 * len(self._site.connections) >= self._max_connections

    def _make_room(self) -> bool:
        """Close a connection that has nothing under way, or trickles, if there is one."""
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
        """The protocol of a connection that is there already, whatever the cap."""
        return self._new_connection(self._site)

    def check(self, now: float) -> None:  # noqa: ARG002  # of a check of the sweep
        """Called by the sweep, behind its look at the connections."""
        self._is_fresh = False
        self._waiting.clear()
        self._trickling.clear()


class TurnedAway(asyncio.Protocol):
    """A connection beyond the cap: 503, whatever it was about to ask."""

    def __init__(self, site: SharedState, tell: Callable[[asyncio.Transport], None]) -> None:
        """`tell` takes the transport over, once the answer has been written to it."""
        self._site = site
        self._tell = tell

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        if stands_for_standard(transport):
            transport.abort()
            return
        refusal = ConnectionLimit("the gateway has as many connections as it may have")
        request_id = self._site.next_request_id()
        response, body = self._site.error_style.refusal(refusal, request_id)
        constant = self._site.constant_fields + request_id
        head = self._site.exchange_type.seal(response.encode(None, len(body), False, constant))
        transport.write(head + body)
        self._tell(transport)
