"""Clients that speak another protocol than HTTP: the log is told, and not flooded."""

from typing import Final

from gateway.loggers import logger

log = logger("gateway.connection")

_SECONDS: Final = 60.0
"""Between two lines on one protocol."""

_ADVICE: Final = {
    "TLS": "the gateway speaks plain HTTP; have a proxy in front end TLS, or let the client use "
    "http://",
    "the PROXY protocol": "if a proxy in front is to tell who connects, give --proxy-protocol",
}


class ForeignClients:
    """Counts them by protocol, of which there are few."""

    __slots__ = ("_counts", "_told_at")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._told_at: dict[str, float] = {}

    def note(self, protocol: str, now: float) -> None:
        """One more, at `now` by the loop's time: the first is told at once."""
        self._counts[protocol] = self._counts.get(protocol, 0) + 1
        last = self._told_at.get(protocol)
        if last is None or now - last >= _SECONDS:
            self._told_at[protocol] = now
            count = self._counts.pop(protocol)
            advice = _ADVICE.get(protocol, "the gateway speaks HTTP")
            log.warning("%d clients spoke %s to this port: %s", count, protocol, advice)
