"""What an operator must know of connections and bodies: the kinds, and what is to be done."""

from gateway.loggers import logger
from gateway.trouble import Trouble


class Troubles:
    """Those of one site; the sweep has them told."""

    def __init__(self) -> None:
        log = logger("gateway.connection")
        self.turned_away = Trouble(
            log,
            "connections were turned away",
            "each that there may be has a request under way",
            "raise --max-connections, or the limit of open files",
        )
        self.made_room = Trouble(
            log,
            "connections were closed",
            "they had nothing under way, or brought it too slowly, and newcomers had no room",
            "raise --max-connections, or the limit of open files",
        )
        self.unread = Trouble(
            log,
            "clients were cut off",
            "answers that wait for clients had no more room",
            "raise --answer-memory, or lower --write-timeout",
        )
        self.starved = Trouble(
            log,
            "requests were answered 503",
            "there was no memory for their bodies within --body-timeout",
            "raise --body-memory, or lower --max-body",
        )
        self.slow_uploads = Trouble(
            log,
            "uploads were cut off",
            "they came too slowly while others waited for what they held",
            "raise --body-memory or --threads, if these are no attack",
        )
        self._all = (
            self.turned_away,
            self.made_room,
            self.unread,
            self.starved,
            self.slow_uploads,
        )

    def check(self, now: float) -> None:
        """Called by the sweep; `now` is the loop's time."""
        for trouble in self._all:
            trouble.check(now)
