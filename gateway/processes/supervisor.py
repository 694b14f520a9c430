"""The parent process: keeps workers running, replaces them, ends them.

Theory of operation.  It holds the listening sockets and runs no code of the user, so hardly
anything can end it; connections that come while a worker is down wait in the system's backlog.
All that happens (signals, ends of workers, what workers say, times that come) wakes one loop, which
changes notes.  What follows from the notes is done at one place each: in `_enforce` what is late is
killed, and at the top of `run` workers are forked, because the new process leaves from there.

Each place for a worker has one that serves, or none while the back-off lasts.  A replacement is
forked beside it and takes the place when it is ready; only then the old one is told to leave.  Who
still loads when the code is to be loaded again is out of date: it is ended, and another forked.

Where the code is watched, another child process tells of each change, and all workers are replaced.
Code that cannot be loaded then ends nothing, not even the start: the next change is waited for.
"""

import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

from gateway.error_log.loggers import RETRY_SECONDS, logger
from gateway.error_log.loggers import flush as flush_own_log
from gateway.processes.back_off import BackOff
from gateway.processes.connection_counts import ConnectionCounts
from gateway.processes.forking import ended, has_terminal, split
from gateway.processes.line_lender import Lines
from gateway.processes.link import Link, SlotCounts
from gateway.processes.watching import CodeWatch, WatcherLink
from gateway.processes.worker_process import NEVER, Times, WorkerProcess
from gateway.processes.worker_slot import WorkerSlot, WorkerSlots
from gateway.signals.inbox import SignalInbox
from gateway.signals.termination import TerminationSignals
from gateway.signals.unused import IDLE, Notices

log = logger("gateway.supervisor")

_LONGEST_WAIT: Final = 3600.0
"""Seconds; the system's own bound is a few weeks."""

_FAILED: Final = 1


class Supervisor:
    """Keeps a number of workers running.  All its times are `time.monotonic()`."""

    def __init__(
        self,
        workers: int,
        times: Times,
        *,
        on_ready: Callable[[], None],
        stop_listening: Callable[[], None],
        reread: Callable[[], Times | None],
        watches: bool = False,
        lines: Lines | None = None,
    ) -> None:
        """`times` are those of the workers.

        `on_ready` is called when all workers serve for the first time, `stop_listening` when they
        are to end: their own sockets are then the last ones.  `reread` is called before the code
        is loaded again by SIGHUP: the times from then on, or `None` where nothing is to be done.
        `watches`: there is another process, which tells of changes of the code.  `lines` lends
        workers what their lines wait in.
        """
        self._lines = lines
        self._times = times
        self._on_ready = on_ready
        self._stop_listening = stop_listening
        self._reread = reread
        self._places = WorkerSlots(workers)
        self._board = ConnectionCounts(workers)
        self._workers: dict[int, WorkerProcess] = {}
        self._by_link: dict[int, WorkerProcess] = {}
        self._is_starting = True
        self._is_ending = False
        self._status = 0
        self._end_signals = TerminationSignals()
        self._notices = Notices()
        self._ends_with_terminal = has_terminal() and (
            signal.getsignal(signal.SIGHUP) == signal.SIG_DFL  # Else nohup(1) has started it.
        )
        self._inbox = SignalInbox((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD))
        self._poll = select.poll()
        self._poll.register(self._inbox.descriptor, select.POLLIN)
        self._watch = CodeWatch(self._poll, is_on=watches)

    def run(self) -> int | Link | WatcherLink:
        """Supervise until told to end: the exit status.

        It returns in each worker, too, as soon as it is forked, and in the watcher: its link to
        the supervisor.
        """
        while self._workers or self._watch.process or not self._is_ending:
            now = monotonic()
            if self._watch.is_due(now):
                watcher_link = self._watch.fork(self._split, now)
                if watcher_link is not None:
                    return watcher_link
            for place in self._wanting(now):
                if place.not_before <= now:
                    link = self._fork(place, now)
                    if link is not None:
                        return link
                    break  # What is wanted now may be something else.
            else:
                self._wait(now)
        return self._status

    # Forking.

    def _wanting(self, now: float) -> Iterator[WorkerSlot]:
        """The places that want another process."""
        if self._is_ending or now < self._watch.load_at:
            return
        yield from self._places.wanting(self._workers.values())

    def _fork(self, place: WorkerSlot, now: float) -> Link | None:
        """Fork a worker; its link in the worker, `None` here."""
        lines = self._lines and self._lines.lend()
        try:
            pid, link = self._split()
        except OSError as error:
            self._lose(place, f"no worker can be started ({error.strerror})", None, now)
            return None
        if not pid:
            often = self._watch.is_on
            return Link(link, self._counts(place), is_often_replaced=often, lines=lines)
        self._add(place, pid, link, now)
        self._workers[pid].lines = lines
        return None

    def _split(self) -> tuple[int, socket.socket]:
        return split(self._inbox, self._leave_to_child)

    def _counts(self, place: WorkerSlot) -> SlotCounts | None:
        return SlotCounts(self._board, place.number) if len(self._places) > 1 else None

    def _leave_to_child(self) -> None:
        """In a child: close the connections to the others."""
        for worker in self._workers.values():
            worker.link.close()
        if self._watch.process is not None:
            self._watch.process.link.close()

    def _add(self, place: WorkerSlot, pid: int, link: socket.socket, now: float) -> None:
        worker = WorkerProcess(
            pid, link, generation=self._places.generation, times=self._times, now=now
        )
        self._workers[pid] = worker
        self._by_link[link.fileno()] = worker
        self._poll.register(link, select.POLLIN)
        place.loading.append(worker)

    # Waiting, and what has happened.

    def _wait(self, now: float) -> None:
        """Wait until something happens or has to be done, and take note."""
        times = [place.not_before for place in self._wanting(now)]
        times += [worker.kill_at for worker in self._workers.values()]
        if self._watch.process is None:
            times.append(self._watch.not_before)
        if now < self._watch.load_at:
            times.append(self._watch.load_at)
        looks = [worker.look_interval() for worker in self._workers.values()]
        longest = min(looks, default=_LONGEST_WAIT)
        seconds = max(0.0, min(min(times, default=NEVER) - now, longest, _LONGEST_WAIT))
        is_written = self._lines is None or self._lines.flush()
        if not flush_own_log() or not is_written:
            seconds = min(seconds, RETRY_SECONDS)
        # Rounded up, or the last millisecond would be spent looking.
        ready = self._poll.poll(int(seconds * 1000) + 1)
        now = monotonic()
        # Signals first: a worker that ends because the whole process group is told to is not lost.
        self._read_signals(now)
        for descriptor, _ in ready:
            worker = self._by_link.get(descriptor)
            if worker is not None:
                self._hear(worker, now)
        self._hear_watcher(now)
        self._reap(now)
        for worker in self._workers.values():
            worker.enforce(now)
        if self._watch.change:
            self._tell_reloaded()

    def _read_signals(self, now: float) -> None:
        numbers = self._inbox.read()
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end(signal.Signals(number).name, now)
            elif number in IDLE:
                line = self._notices.line(number, now)
                if line is not None:
                    log.warning("%s", line)
        if signal.SIGHUP in numbers:  # Several at once are one.
            if self._ends_with_terminal and not has_terminal():
                self._end("the end of the terminal", now)
            elif not self._is_ending:
                self._read_again(now)

    def _hear(self, worker: WorkerProcess, now: float) -> None:
        was_ready = worker.ready_at is not None
        if not worker.hear(now):
            self._forget_link(worker)
        place = self._places.of(worker)
        if place is None or worker.ready_at is None:
            return
        if not was_ready:
            self._install(worker, place, now)
        if worker.has_closed and not (worker.is_leaving or self._is_ending):
            self._board.clear(place.number)
            place.remove(worker, now)  # Nobody waits until the last of its threads has ended.
            if place.is_awaited():
                log.info("worker %d ends, as it has asked; another is loading", worker.pid)
            else:
                self._lose(place, f"worker {worker.pid} ends", worker.served(now), now)

    def _install(self, worker: WorkerProcess, place: WorkerSlot, now: float) -> None:
        """It is ready."""
        place.not_before = 0.0
        old = place.worker
        for late in place.take(worker):
            late.leave(now)
        if old is not None:
            level = logging.DEBUG if self._watch.is_on else logging.INFO
            log.log(level, "worker %d takes over from worker %d", worker.pid, old.pid)
            old.leave(now)
        self._places.open_all()
        if self._is_starting and self._places.are_served():
            self._is_starting = False
            self._on_ready()

    def _forget_link(self, worker: WorkerProcess) -> None:
        if self._by_link.pop(worker.link.fileno(), None) is not None:
            self._poll.unregister(worker.link)
            worker.link.close()

    def _reap(self, now: float) -> None:
        for pid, status in ended():
            worker = self._workers.pop(pid, None)
            if self._watch.process is not None and self._watch.process.pid == pid:
                self._hear_watcher(now)
                self._watch.note_end(status, now)
            elif worker is not None:  # Process 1 inherits the children of others, too.
                worker.hear(now)
                self._forget_link(worker)
                if self._lines is not None:
                    self._lines.take_back(worker.lines)
                self._note_end(worker, status, now)

    def _note_end(self, worker: WorkerProcess, status: int, now: float) -> None:
        lived = now - worker.forked_at
        text = f"worker {worker.pid} {worker.ending(status)} after {lived:.1f} s"
        place = self._places.of(worker)
        if place is None or self._is_ending:
            log.log(logging.WARNING if status and worker.ready_at else logging.DEBUG, text)
            return
        if worker is place.worker:
            self._board.clear(place.number)
        place.remove(worker, now)
        if self._watch.is_on and worker.ready_at is None and self._may_change_help(worker):
            self._await_change("the code cannot be loaded" if worker.has_explained else text)
        elif not self._is_starting:
            self._lose(place, text, worker.served(now), now)
        else:
            if not worker.has_explained:
                log.critical("%s, before it could serve", text)
            code = os.waitstatus_to_exitcode(status)
            self._fail(code if code > 0 else _FAILED, now)

    def _lose(self, place: WorkerSlot, text: str, served: float | None, now: float) -> None:
        """Note that a place has lost a process, or has got none."""
        if self._is_starting:
            log.critical("%s", text)
            self._fail(_FAILED, now)
            return
        delay = place.back_off.delay(served)
        place.not_before = now + delay
        when = f"started in {delay:.1f} s" if delay else "started at once"
        log.error("%s; another is %s", text, "loading" if place.is_awaited() else when)

    # Changes of the code.

    def _hear_watcher(self, now: float) -> None:
        if self._watch.hear(now) and not self._is_ending:
            self._reload(now)

    def _read_again(self, now: float) -> None:
        times = self._reread()
        if times is not None:
            self._times = times
            log.info("SIGHUP: replacing the workers, one at a time")
            self._reload(now)

    def _reload(self, now: float) -> None:
        """Have the code loaded again, whatever became of it before."""
        self._places.generation += 1
        for place in self._places:
            place.not_before, place.back_off = 0.0, BackOff()
            for worker in tuple(place.loading):
                self._hear(worker, now)  # It may have become ready.
                if worker in place.loading:
                    # What it loads is out of date, and may never end.
                    worker.leave(now)
                    place.remove(worker, now)

    def _may_change_help(self, worker: WorkerProcess) -> bool:
        """Whether other code would have let a worker start; else an option is wrong."""
        return worker.is_code_at_fault or not (worker.has_explained and self._is_starting)

    def _await_change(self, text: str) -> None:
        """Start no worker before the code has changed."""
        for place in self._places:
            place.not_before = NEVER
        is_served = any(place.ready_at() is not None for place in self._places)
        meanwhile = "the code before it serves on" if is_served else "requests wait"
        log.error("%s: %s until it changes", text, meanwhile)

    def _tell_reloaded(self) -> None:
        """Tell that a change is served, once nothing else is."""
        if not self._places.are_current():
            return
        since = [place.ready_at() for place in self._places]
        if all(worker.has_closed for worker in self._workers.values() if worker.is_leaving):
            seconds = max(filter(None, since)) - self._watch.changed_at
            log.info("%s changed: reloaded in %.2f s", self._watch.change, max(0.0, seconds))
            self._watch.change = ""

    # The end.

    def _end(self, name: str, now: float) -> None:
        is_again = self._end_signals.count(now)
        if not self._is_ending:
            log.info("%s: ending", name)
            self._drain(now)
        elif is_again:
            log.warning("%s again: ending at once", name)
            for worker in self._workers.values():
                worker.end(now)

    def _fail(self, status: int, now: float) -> None:
        self._status = status
        self._drain(now)

    def _drain(self, now: float) -> None:
        self._is_ending = True
        self._stop_listening()
        self._watch.stop()
        for worker in self._workers.values():
            worker.drain(now)
