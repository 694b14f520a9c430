"""Who may connect: a cap on connections, and who makes room when it is reached.

A connection with nothing under way, waiting for the longest time, is closed for a newcomer: its
client asks for nothing (or trickles a head), and must expect it (RFC 9112 §9.5), or it has been
told its last.  So clients that only hold connections keep nobody out.  Where every connection has
a request, the newcomer gets 503.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from gateway.errors import ConnectionLimit
from gateway.http.connection import Connection
from gateway.http.endpoints import stands_for_standard
from gateway.http.lingering import Lingering
from gateway.http.site import Client, Site
from gateway.loggers import logger

log = logger("gateway.connection")

_LINGER: Final = 2.0
"""Seconds in which somebody turned away may read why."""


class Admission:
    """Makes the protocols of new connections; called by the listener for each."""

    def __init__(
        self,
        site: Site,
        max_connections: int,
        max_turned_away: int,
        new_connection: Callable[[Site], asyncio.Protocol] = Connection,
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
        self._is_fresh = False
        """Whether `_waiting` is of the present sweep: nobody new can be found before the next."""
        self._turned_away = 0
        """Since the last sweep, for the log."""

    def __call__(self) -> asyncio.Protocol:
        """The protocol of one more connection."""
        room = self._max_connections - len(self._site.connections) - self.arriving()
        if room > 0 or self._make_room():
            return self.admit()
        self._turned_away += 1
        return TurnedAway(self._site, may_speak=room > -self._max_turned_away)

    def is_full(self) -> bool:
        """Whether connections hold half of what they may, and so most of the open files."""
        return 2 * len(self._site.connections) >= self._max_connections

    def _make_room(self) -> bool:
        """Close the connection that has had nothing under way the longest, if there is one."""
        if not self._is_fresh:
            self._is_fresh = True
            waiting = [(client.waits_since, client) for client in self._site.connections]
            self._waiting = [pair for pair in waiting if pair[0]]
            self._waiting.sort(key=lambda pair: -pair[0])
        while self._waiting:
            since, client = self._waiting.pop()
            if client.waits_since == since and client.make_room():
                return True
        return False

    def admit(self) -> asyncio.Protocol:
        """The protocol of a connection that is there already, whatever the cap."""
        return self._new_connection(self._site)

    def check(self, now: float) -> None:  # noqa: ARG002  # of a check of the sweep
        """Called by the sweep, behind its look at the connections."""
        self._is_fresh = False
        self._waiting.clear()
        if self._turned_away:
            log.warning(
                "%d connections were turned away: each of %d has a request under way",
                self._turned_away,
                self._max_connections,
            )
            self._turned_away = 0


class TurnedAway(asyncio.Protocol):
    """A connection beyond the cap: 503, whatever it was about to ask."""

    def __init__(self, site: Site, *, may_speak: bool) -> None:
        self._site = site
        self._may_speak = may_speak

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        if stands_for_standard(transport) or not self._may_speak:
            transport.abort()
            return
        refusal = ConnectionLimit("the gateway has as many connections as it may have")
        request_id = self._site.next_request_id()
        response, body = self._site.error_style.refusal(refusal, request_id)
        constant = self._site.constant_fields + request_id
        head = self._site.exchange_type.seal(response.encode(None, len(body), False, constant))
        transport.write(head + body)
        # It stands beyond the cap: who came for its room would, too.
        Lingering(self._site, transport, _LINGER, makes_room=False)
