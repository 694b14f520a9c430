"""Warnings about connections and bodies, each with its remedy."""

from collections.abc import Iterable
from typing import Final

from gateway.error_log.loggers import logger
from gateway.error_log.rate_limited import RateLimitedWarning

_FOREIGN_INTERVAL: Final = 60.0
"""Seconds between two lines about one foreign protocol: monitors and scanners keep coming."""

_ADVICE: Final = {
    "TLS": "terminate TLS in a proxy in front, or let the clients use http://",
    "the PROXY protocol": "if a proxy in front sends it, give --proxy-protocol",
}


class ConnectionWarnings:
    """The warnings of one worker's connections; the sweep logs them."""

    def __init__(self) -> None:
        log = logger("gateway.connection")
        self.turned_away = RateLimitedWarning(
            log,
            "connections were turned away",
            "every other one had a request under way",
            "raise --max-connections, or the limit of open files",
        )
        self.made_room = RateLimitedWarning(
            log,
            "connections were closed",
            "they were idle or uploaded too slowly, and new connections had no room",
            "raise --max-connections, or the limit of open files",
        )
        self.unread = RateLimitedWarning(
            log,
            "clients were cut off",
            "there was no memory left for responses that wait for clients",
            "raise --answer-memory, or lower --write-timeout",
        )
        self.starved = RateLimitedWarning(
            log,
            "requests got 503",
            "there was no memory for their bodies within --body-timeout",
            "raise --body-memory, or lower --max-body",
        )
        self.slow_uploads = RateLimitedWarning(
            log,
            "uploads were cut off",
            "they were slow while others waited for their memory or threads",
            "raise --body-memory or --threads, unless this is an attack",
        )
        self.shed = RateLimitedWarning(
            log,
            "connections dropped requests",
            "incomplete requests took too much memory",
            "raise --workers, unless this is an attack",
        )
        self.without_descriptor = RateLimitedWarning(
            log,
            "connections were closed",
            "the system had no descriptor for their responses",
            "raise the limit of open files, or lower --max-connections",
        )
        self.without_preface = RateLimitedWarning(
            logger("gateway.proxy_protocol"),
            "connections were closed",
            "they did not come from a trusted proxy with a PROXY header",
            "list the proxies in --trusted-proxies and let them send the header, or remove "
            "--proxy-protocol",
        )
        self._foreign: dict[str, RateLimitedWarning] = {}
        """Clients of foreign protocols, by protocol; `message.request_line` knows only a few."""

    def note_foreign(self, protocol: str, now: float) -> None:
        """A client speaks `protocol`, not HTTP.  The first one is logged at once."""
        trouble = self._foreign.get(protocol)
        if trouble is None:
            trouble = self._foreign[protocol] = RateLimitedWarning(
                logger("gateway.connection"),
                f"clients spoke {protocol} to this port",
                "the gateway speaks plain HTTP",
                _ADVICE.get(protocol, "send them to another port"),
                interval=_FOREIGN_INTERVAL,
            )
        trouble.note()
        trouble.check(now)

    @property
    def _all(self) -> Iterable[RateLimitedWarning]:
        return (
            self.turned_away,
            self.made_room,
            self.unread,
            self.starved,
            self.slow_uploads,
            self.shed,
            self.without_descriptor,
            self.without_preface,
            *self._foreign.values(),
        )

    def check(self, now: float) -> None:
        """Called by each sweep; `now` is the loop's time."""
        for trouble in self._all:
            trouble.check(now)

    def close(self, now: float) -> None:
        """Log what is not logged yet: the sweep ends."""
        for trouble in self._all:
            trouble.close(now)
