"""The common part of applications that pass exchanges on to another application."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.connection.shared_state import ServedApplication


class Middleware:
    """Delegates to the other application everything except `handle`."""

    def __init__(self, application: "ServedApplication") -> None:
        self._application = application

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return self._application.is_idle

    @property
    def needs_replacement(self) -> bool:
        """Whether the process should be replaced."""
        return self._application.needs_replacement

    def start(self) -> None:
        """Prepare for exchanges."""
        self._application.start()

    def check_deadlines(self, now: float) -> None:
        """Give up what is past its time; `now` is the loop's time, in seconds."""
        self._application.check_deadlines(now)

    @property
    def is_short_of_threads(self) -> bool:
        """Whether requests wait for a thread."""
        return self._application.is_short_of_threads

    def relieve(self) -> bool:
        """Replace the calling thread, which waits for a slow client."""
        return self._application.relieve()

    def stop(self) -> None:
        """End: no more exchanges will come."""
        self._application.stop()
