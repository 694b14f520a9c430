"""What a worker that runs one request at a time tells the others of itself: a part of `app.py`.

Theory of operation: workers leave a new connection to the one that has least to do (`accepting`).
With eight threads connections say who that is.  With one it is who is not at work, or will be free
soonest; and how long a request has taken already is the best guess at how long it still will.  So
requests count for more than any number of connections, and a long one for many; who is at a long
one also gives the others more time to come for the connection.
"""

from collections.abc import Sized
from time import monotonic
from typing import Final

from gateway.sockets.accepting import Counts
from gateway.wsgi.runner import WsgiRunner

_REQUEST: Final = 1 << 20
"""Connections that a request counts for."""

_USUAL: Final = 0.01
"""Seconds for each of which a running request counts as one more."""

_LONGEST_PATIENCE: Final = 0.5
"""Seconds for which a connection is left to others that have less to do, and do not come."""


class Load:
    """How much a worker has to do."""

    def __init__(self, connections: Sized, bridge: WsgiRunner, counts: Counts | None) -> None:
        """`counts` are told of it when requests come; `None`: there are no other workers."""
        self._connections = connections
        self._bridge = bridge
        if counts is not None:
            bridge.on_work = lambda: counts.note(self.count())

    def count(self) -> int:
        """In connections, of workers that have no requests."""
        bridge = self._bridge
        requests = bridge.load + int(bridge.running_for(monotonic()) / _USUAL)
        return len(self._connections) + _REQUEST * requests

    def patience(self) -> float:
        """Seconds for which a connection is left to a worker that has less to do, and is silent.

        Half of the time that its request has taken; it might then wait for as long.
        """
        return min(_LONGEST_PATIENCE, self._bridge.running_for(monotonic()) / 2)
