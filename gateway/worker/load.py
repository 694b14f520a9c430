"""The load of a worker that runs one request at a time, as other workers see it.

Theory of operation.  Workers leave a new connection to the least busy worker (`accepting`).  With
eight threads the number of connections shows which one that is.  With one thread it is an idle
worker, or the one that will be free first; and the time that a request has taken is the best guess
at the time that it still takes.  So a request counts for more than any number of connections, and a
long one for many requests.  A worker with a long request also gives the others more time to accept
the connection.
"""

from collections.abc import Sized
from time import monotonic
from typing import Final

from gateway.sockets.accepting import Counts
from gateway.wsgi.runner import WsgiRunner

_CONNECTIONS_PER_REQUEST: Final = 1 << 20
"""The load of one request, counted in connections."""

_USUAL_SECONDS: Final = 0.01
"""A running request counts once more for each such period."""

_MAX_PATIENCE_SECONDS: Final = 0.5
"""The longest time for which a connection is left to less busy workers that do not accept it."""


class RequestLoad:
    """The load of one worker."""

    def __init__(self, connections: Sized, runner: WsgiRunner, counts: Counts | None) -> None:
        """`counts` get the load when requests arrive; `None` if there are no other workers."""
        self._connections = connections
        self._runner = runner
        if counts is not None:
            runner.on_work = lambda: counts.note(self.count())

    def count(self) -> int:
        """The load, counted in idle connections."""
        runner = self._runner
        requests = runner.load + int(runner.running_for(monotonic()) / _USUAL_SECONDS)
        return len(self._connections) + _CONNECTIONS_PER_REQUEST * requests

    def patience(self) -> float:
        """Seconds for which to leave a connection to a less busy worker that gives no sign of life.

        It is half of the time that the running request has taken, which may last as long again.
        """
        return min(_MAX_PATIENCE_SECONDS, self._runner.running_for(monotonic()) / 2)
