"""The process that watches the code, seen from both sides of its link to the supervisor.

The watcher sends lines: an empty one as soon as it misses no change, then one for each change.  The
supervisor sends nothing.  The watcher ends with the connection, and may be killed at any time.
"""

import os
import select
import signal
import socket
from collections.abc import Callable
from typing import Final

from gateway.error_log.loggers import logger
from gateway.processes.back_off import BackOff
from gateway.processes.orphan import end_with
from gateway.processes.worker_process import NEVER, ending

log = logger("gateway.supervisor")

_MAX_LINE_CHARACTERS: Final = 1000

_FIRST_LOOK_SECONDS: Final = 5.0
"""Time that a watcher may take for its first look before the code is loaded anyway."""


class WatcherLink:
    """The watcher's end of the link."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over the socket."""
        sock.setblocking(True)  # A stopped supervisor must not miss a line.
        self._socket = sock

    def fileno(self) -> int:
        """A descriptor that becomes readable when the supervisor is gone."""
        return self._socket.fileno()

    def end_with(self, supervisor: int) -> None:
        """End this process when the process `supervisor` has gone, whatever code runs."""
        end_with(supervisor, lambda: 1.0)

    def tell(self, text: str) -> None:
        """Report a change of the code; an empty text means that from now on no change is missed.

        Raises:
            OSError: the supervisor is gone.
        """
        line = text[:_MAX_LINE_CHARACTERS].replace("\n", "?") + "\n"
        self._socket.sendall(line.encode("utf-8", "backslashreplace"))


class WatcherProcess:
    """The watcher as its supervisor sees it.  All times are `time.monotonic()`."""

    def __init__(self, pid: int, link: socket.socket, now: float) -> None:
        self.pid = pid
        self.link = link
        self._forked_at = now
        self._rest = b""
        self._is_watching = False
        self.has_gone = False

    def hear(self) -> list[str] | None:
        """The lines that have arrived; `None`, with `has_gone` set, once the connection has
        ended."""
        try:
            data = self.link.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.has_gone = True
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._is_watching |= bool(lines)
        return [line.decode("utf-8", "replace") for line in lines]

    def watched(self, now: float) -> float | None:
        """Seconds since its fork; `None` if it never got to watch."""
        return now - self._forked_at if self._is_watching else None

    def kill(self) -> None:
        """Kill it: it has nothing to clean up, and a stopped process handles no other signal."""
        # The process ID is not reused until the supervisor reaps it.
        os.kill(self.pid, signal.SIGKILL)


class CodeWatch:
    """The state of watching the code: the watcher process and the last change."""

    def __init__(self, poll: "select.poll", *, is_on: bool) -> None:
        """`poll` gets the connection to the watcher; without `is_on` there is no watcher."""
        self._poll = poll
        self.is_on = is_on
        self.process: WatcherProcess | None = None
        self.not_before = 0.0 if is_on else NEVER
        """The earliest time to fork a watcher while there is none."""
        self.load_at = NEVER if is_on else 0.0
        """When code may be loaded: once the watcher would notice a change, or has taken too
        long."""
        self.change = ""
        """The last change, until it is in service."""
        self.changed_at = 0.0
        self._back_off = BackOff()

    def is_due(self, now: float) -> bool:
        """Whether to fork a watcher now."""
        return self.process is None and self.not_before <= now

    def fork(
        self, fork_linked: Callable[[], tuple[int, socket.socket]], now: float
    ) -> WatcherLink | None:
        """Fork a watcher; return its link in the watcher, `None` in the supervisor.

        `fork_linked` forks: see `forking.fork_linked`.
        """
        try:
            pid, link = fork_linked()
        except OSError as error:
            log.error("no watcher can be started (%s); again %s", error.strerror, self._lose(now))
            return None
        if not pid:
            return WatcherLink(link)
        self.process = WatcherProcess(pid, link, now)
        self.load_at = min(self.load_at, now + _FIRST_LOOK_SECONDS)
        self._poll.register(link, select.POLLIN)
        return None

    def hear(self, now: float) -> bool:
        """Read the watcher's lines; return whether to reload the code."""
        process = self.process
        if process is None or process.has_gone:
            return False
        lines = process.hear()
        if lines is None:
            self._forget_link(process)
            return False
        change = ""
        for line in lines:
            if line:
                change = line
            elif self.load_at <= now:  # Not the first watcher, or it came too late.
                change = "the code was not watched for a while, and may have"
            self.load_at = 0.0
        if change:
            self.change, self.changed_at = change, now
        return bool(change)

    def note_end(self, status: int, now: float) -> None:
        """Note that the watcher has ended; its lines have been read."""
        if self.process is not None and not self.process.has_gone:
            # A process that inherited the other end keeps the link open.
            self._forget_link(self.process)
        when = self._lose(now)
        if self.not_before < NEVER:
            log.warning("the watcher of the code %s; another is started %s", ending(status), when)

    def stop(self) -> None:
        """Kill the watcher and start no other."""
        self.not_before = NEVER
        if self.process is not None:
            self.process.kill()

    def _forget_link(self, process: WatcherProcess) -> None:
        self._poll.unregister(process.link)
        process.link.close()

    def _lose(self, now: float) -> str:
        """Schedule another watcher; return when, in words."""
        watched = None if self.process is None else self.process.watched(now)
        self.process = None
        self.load_at = 0.0
        delay = self._back_off.delay(watched)
        self.not_before = max(self.not_before, now + delay)
        return f"in {delay:.1f} s" if delay else "at once"
