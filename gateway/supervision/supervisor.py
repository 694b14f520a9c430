"""The parent process: keeps workers running, replaces them, ends them.

Theory of operation.  It holds the listening sockets and runs no code of the user, so hardly
anything can end it; connections that come while a worker is down wait in the system's backlog.
All that happens (signals, ends of workers, what workers say, times that come) wakes one loop, which
changes notes.  What follows from the notes is done at one place each: in `_enforce` what is late is
killed, and at the top of `run` workers are forked, because the new process leaves from there.

Each place for a worker has one that serves, or none while the back-off lasts.  A replacement is
forked beside it and takes the place when it is ready; only then the old one is told to leave.
"""

import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from gateway.supervision.back_off import BackOff
from gateway.supervision.link import Link, PlaceCounts
from gateway.supervision.load_board import LoadBoard
from gateway.supervision.pulse import beat_interval
from gateway.supervision.signal_inbox import SignalInbox, ignore_in_worker
from gateway.supervision.worker_process import NEVER, WorkerProcess

log = logging.getLogger("gateway.supervisor")

_GRACE: Final = 10.0
"""Seconds that a worker may take longer to end than its requests may."""

_AT_ONCE: Final = 3.0
"""Seconds in which a worker that is told to end at once may write the end of its log."""

_LONGEST_WAIT: Final = 3600.0
"""Seconds; the system's own bound is a few weeks."""

_FAILED: Final = 1


def _has_terminal() -> bool:
    """Whether the process is controlled from one, which sends SIGHUP when it goes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


class _Place:
    """A place for a worker."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: WorkerProcess | None = None
        self.successor: WorkerProcess | None = None
        """Forked to take the worker's place, and not ready yet."""
        self.not_before = 0.0
        """The earliest time to fork for this place."""
        self.back_off = BackOff()


class Supervisor:
    """Keeps a number of workers running.  All its times are `time.monotonic()`."""

    def __init__(
        self,
        workers: int,
        *,
        worker_timeout: float,
        drain_timeout: float,
        on_ready: Callable[[], None],
        stop_listening: Callable[[], None],
    ) -> None:
        """A worker whose loop is silent for `worker_timeout` seconds is killed; 0: never.

        `drain_timeout` is in seconds.  `on_ready` is called when all workers serve for the first
        time, `stop_listening` when they are to end: their own sockets are then the last ones.
        """
        self._worker_timeout = worker_timeout
        self._drain_timeout = drain_timeout
        self._on_ready = on_ready
        self._stop_listening = stop_listening
        self._places = [_Place(number) for number in range(workers)]
        self._board = LoadBoard(workers)
        self._open = self._places[:1]
        """Where to fork: all once the first worker serves, so that a mistake is told once."""
        self._workers: dict[int, WorkerProcess] = {}
        self._by_link: dict[int, WorkerProcess] = {}
        self._generation = 0
        """Counts reloads."""
        self._is_starting = True
        self._is_ending = False
        self._status = 0
        self._ends_with_terminal = _has_terminal() and (
            signal.getsignal(signal.SIGHUP) == signal.SIG_DFL  # Else nohup(1) has started it.
        )
        self._inbox = SignalInbox((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD))
        self._poll = select.poll()
        self._poll.register(self._inbox.descriptor, select.POLLIN)

    def run(self) -> int | Link:
        """Supervise until told to end: the exit status.

        It returns in each worker, too, as soon as it is forked: its link to the supervisor.
        """
        while self._workers or not self._is_ending:
            now = monotonic()
            for place in self._wanting():
                if place.not_before <= now:
                    link = self._fork(place, now)
                    if link is not None:
                        return link
                    break  # What is wanted now may be something else.
            else:
                self._wait(now)
        return self._status

    # Forking.

    def _wanting(self) -> Iterator[_Place]:
        """The places that want another process."""
        if self._is_ending:
            return
        for place in self._open:
            if place.worker is None:
                yield place
        # One at a time, so that the others serve meanwhile.
        if not any(place.successor for place in self._places):
            yield from filter(self._is_outdated, self._places)

    def _is_outdated(self, place: _Place) -> bool:
        worker = place.worker
        if worker is None or worker.ready_at is None:
            return False
        return worker.is_worn or worker.generation < self._generation

    def _fork(self, place: _Place, now: float) -> Link | None:
        """Fork a worker; its link in the worker, `None` here."""
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                ours.setblocking(False)
                theirs.setblocking(False)
                # A signal to the worker before it has left the inbox would be taken for ours.
                with self._inbox.held():
                    pid = os.fork()
                    if not pid:
                        self._leave_to_worker()
                        return Link(theirs.dup(), self._counts(place))
                self._add(place, pid, ours.dup(), now)
        except OSError as error:
            self._lose(place, f"no worker can be started ({error.strerror})", None, now)
        return None

    def _counts(self, place: _Place) -> PlaceCounts | None:
        return PlaceCounts(self._board, place.number) if len(self._places) > 1 else None

    def _leave_to_worker(self) -> None:
        """In a worker: let go of what is the supervisor's."""
        self._inbox.leave()
        ignore_in_worker(signal.SIGINT, signal.SIGHUP)
        for worker in self._workers.values():
            worker.link.close()

    def _add(self, place: _Place, pid: int, link: socket.socket, now: float) -> None:
        worker = WorkerProcess(
            pid, link, generation=self._generation, timeout=self._worker_timeout, now=now
        )
        self._workers[pid] = worker
        self._by_link[link.fileno()] = worker
        self._poll.register(link, select.POLLIN)
        if place.worker is None:
            place.worker = worker
        else:
            place.successor = worker

    # Waiting, and what has happened.

    def _wait(self, now: float) -> None:
        """Wait until something happens or has to be done, and take note."""
        times = [place.not_before for place in self._wanting()]
        times += [worker.kill_at for worker in self._workers.values()]
        longest = beat_interval(self._worker_timeout) if self._worker_timeout else _LONGEST_WAIT
        seconds = max(0.0, min(min(times, default=NEVER) - now, longest))
        # Rounded up, or the last millisecond would be spent looking.
        ready = self._poll.poll(int(seconds * 1000) + 1)
        now = monotonic()
        # Signals first: a worker that ends because the whole process group is told to is not lost.
        self._read_signals(now)
        for descriptor, _ in ready:
            worker = self._by_link.get(descriptor)
            if worker is not None:
                self._hear(worker, now)
        self._reap(now)
        for worker in self._workers.values():
            worker.enforce(now)

    def _read_signals(self, now: float) -> None:
        for number in self._inbox.read():
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end(signal.Signals(number).name, now)
            elif number == signal.SIGHUP and self._ends_with_terminal and not _has_terminal():
                self._end("the end of the terminal", now)
            elif number == signal.SIGHUP and not self._is_ending:
                log.info("SIGHUP: replacing the workers, one at a time")
                self._generation += 1

    def _hear(self, worker: WorkerProcess, now: float) -> None:
        was_ready = worker.ready_at is not None
        if not worker.hear(now):
            self._forget_link(worker)
        place = self._place_of(worker)
        if was_ready or worker.ready_at is None or place is None:
            return
        place.not_before = 0.0
        if worker is place.successor:
            old, place.worker, place.successor = place.worker, worker, None
            if old is not None:
                log.info("worker %d takes over from worker %d", worker.pid, old.pid)
                old.leave(now + self._drain_timeout + _GRACE)
        self._open = self._places
        if self._is_starting and all(
            each.worker is not None and each.worker.ready_at is not None for each in self._places
        ):
            self._is_starting = False
            self._on_ready()

    def _forget_link(self, worker: WorkerProcess) -> None:
        if self._by_link.pop(worker.link.fileno(), None) is not None:
            self._poll.unregister(worker.link)
            worker.link.close()

    def _place_of(self, worker: WorkerProcess) -> _Place | None:
        """Where it works or is going to; `None` when it was told to leave."""
        for place in self._places:
            if worker in (place.worker, place.successor):
                return place
        return None

    def _reap(self, now: float) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:  # Process 1 inherits the children of others, too.
                worker.hear(now)
                self._forget_link(worker)
                self._note_end(worker, status, now)

    def _note_end(self, worker: WorkerProcess, status: int, now: float) -> None:
        lived = now - worker.forked_at
        text = f"worker {worker.pid} {worker.ending(status)} after {lived:.1f} s"
        place = self._place_of(worker)
        if place is None or self._is_ending:
            log.log(logging.WARNING if status and worker.ready_at else logging.DEBUG, text)
            return
        if worker is place.worker:
            self._board.clear(place.number)
            place.worker = place.successor
        place.successor = None
        if not self._is_starting:
            self._lose(place, text, worker.served(now), now)
        else:
            if not worker.has_explained:
                log.critical("%s, before it could serve", text)
            code = os.waitstatus_to_exitcode(status)
            self._fail(code if code > 0 else _FAILED, now)

    def _lose(self, place: _Place, text: str, served: float | None, now: float) -> None:
        """Note that a place has lost a process, or has got none."""
        if self._is_starting:
            log.critical("%s", text)
            self._fail(_FAILED, now)
            return
        delay = place.back_off.delay(served)
        place.not_before = now + delay
        when = f"in {delay:.1f} s" if delay else "at once"
        log.error("%s; another is started %s", text, when)

    # The end.

    def _end(self, name: str, now: float) -> None:
        if self._is_ending:
            log.warning("%s again: ending at once", name)
            for worker in self._workers.values():
                worker.end(now + _AT_ONCE)
        else:
            log.info("%s: ending", name)
            self._drain(now)

    def _fail(self, status: int, now: float) -> None:
        self._status = status
        self._drain(now)

    def _drain(self, now: float) -> None:
        self._is_ending = True
        self._stop_listening()
        for worker in self._workers.values():
            worker.drain(now + self._drain_timeout + _GRACE)
