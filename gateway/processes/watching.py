"""The process that watches the code: its link to the supervisor, and what that knows of it.

It says lines: an empty one as soon as it misses no change, and one for each change.  It is told
nothing: it ends with the connection, and may be killed at any time.
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

_LONGEST: Final = 1000
"""Characters of a line."""

_PATIENCE: Final = 5.0
"""Seconds in which a watcher may look at the code before it is loaded."""


class WatcherLink:
    """A watcher's end."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over the socket."""
        sock.setblocking(True)  # A supervisor that is stopped must not miss what it is told.
        self._socket = sock

    def fileno(self) -> int:
        """A descriptor that can be read as soon as the supervisor is gone."""
        return self._socket.fileno()

    def end_with(self, supervisor: int) -> None:
        """Have this process end when that process has gone, whatever it does."""
        end_with(supervisor, lambda: 1.0)

    def tell(self, text: str) -> None:
        """Say that code has changed; "": that from now on none does without being told.

        Raises:
            OSError: the supervisor is gone.
        """
        line = text[:_LONGEST].replace("\n", "?") + "\n"
        self._socket.sendall(line.encode("utf-8", "backslashreplace"))


class WatcherProcess:
    """The supervisor's end.  All times are `time.monotonic()`."""

    def __init__(self, pid: int, link: socket.socket, now: float) -> None:
        self.pid = pid
        self.link = link
        self._forked_at = now
        self._rest = b""
        self._is_watching = False
        self.has_gone = False

    def hear(self) -> list[str] | None:
        """The lines that it has said; `None` once it can say no more, which `has_gone` keeps."""
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
        """Seconds since it was forked; `None` if it never could watch."""
        return now - self._forked_at if self._is_watching else None

    def kill(self) -> None:
        """End it; it has nothing to leave in order, and a stopped process takes no other signal."""
        os.kill(
            self.pid, signal.SIGKILL
        )  # Its number is its own until the supervisor has reaped it.


class CodeWatch:
    """That the code is watched: by whom, and what has come of it."""

    def __init__(self, poll: "select.poll", *, is_on: bool) -> None:
        """`poll` is told of the connection to the watcher; `is_on`: there is to be one."""
        self._poll = poll
        self.is_on = is_on
        self.process: WatcherProcess | None = None
        self.not_before = 0.0 if is_on else NEVER
        """The earliest time to fork a watcher, if there is none."""
        self.load_at = NEVER if is_on else 0.0
        """When code may be loaded: when its change would be noticed, or that takes too long."""
        self.change = ""
        """What has changed, while it is not served yet."""
        self.changed_at = 0.0
        self._back_off = BackOff()

    def is_due(self, now: float) -> bool:
        """Whether it is time to fork a watcher."""
        return self.process is None and self.not_before <= now

    def fork(
        self, split: Callable[[], tuple[int, socket.socket]], now: float
    ) -> WatcherLink | None:
        """Fork a watcher; its link in the watcher, `None` here.

        `split` forks: it gives the child's number, or in the child 0, and the end of a connection
        between the two; OSError when there is no child.
        """
        try:
            pid, link = split()
        except OSError as error:
            log.error("no watcher can be started (%s); again %s", error.strerror, self._lose(now))
            return None
        if not pid:
            return WatcherLink(link)
        self.process = WatcherProcess(pid, link, now)
        self.load_at = min(self.load_at, now + _PATIENCE)
        self._poll.register(link, select.POLLIN)
        return None

    def hear(self, now: float) -> bool:
        """Take in what the watcher says; whether the code is to be loaded again."""
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
            elif self.load_at <= now:  # It is not the first one, or was too late.
                change = "the code was not watched for a while, and may have"
            self.load_at = 0.0
        if change:
            self.change, self.changed_at = change, now
        return bool(change)

    def note_end(self, status: int, now: float) -> None:
        """The watcher has ended; it has been heard."""
        if self.process is not None and not self.process.has_gone:
            self._forget_link(self.process)  # What has inherited the other end keeps it open.
        when = self._lose(now)
        if self.not_before < NEVER:
            log.warning("the watcher of the code %s; another is started %s", ending(status), when)

    def stop(self) -> None:
        """Have no watcher any more."""
        self.not_before = NEVER
        if self.process is not None:
            self.process.kill()

    def _forget_link(self, process: WatcherProcess) -> None:
        self._poll.unregister(process.link)
        process.link.close()

    def _lose(self, now: float) -> str:
        """There is no watcher; when another is to be forked, in words."""
        watched = None if self.process is None else self.process.watched(now)
        self.process = None
        self.load_at = 0.0
        delay = self._back_off.delay(watched)
        self.not_before = max(self.not_before, now + delay)
        return f"in {delay:.1f} s" if delay else "at once"
