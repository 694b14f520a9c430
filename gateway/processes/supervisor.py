"""The parent process: starts, replaces and ends workers.

Theory of operation.  The supervisor holds the listening sockets and runs no user code, so hardly
anything can end it.  Connections that arrive while a worker is down wait in the system's backlog.
Every event (a signal, the end of a worker, a message of a worker, a deadline) wakes one loop, which
updates the state.  Each consequence has one slot: `WorkerProcess.enforce` kills what is late, and
the top of `run` forks, because the new process returns from there.

Each slot has one serving worker, or none during the back-off.  A replacement is forked beside the
old worker and takes the slot when it is ready; only then the old worker leaves.  A worker that
still loads when a reload begins is outdated: the supervisor ends it and forks another.

With `--reload` another child process reports each change of the code, and the supervisor replaces
all workers.  Code that cannot be loaded then ends nothing, not even the start: the supervisor waits
for the next change.
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
from gateway.processes.code_watch import CodeWatch, WatcherLink
from gateway.processes.connection_counts import ConnectionCounts
from gateway.processes.forking import fork_linked, has_terminal, reap
from gateway.processes.line_lender import LineLender
from gateway.processes.link import Link, SlotCounts
from gateway.processes.worker_process import NEVER, Times, WorkerProcess
from gateway.processes.worker_slot import WorkerSlot, WorkerSlots
from gateway.signals.inbox import SignalInbox
from gateway.signals.termination import TerminationSignals
from gateway.signals.unused import UNUSED, SignalNotices

log = logger("gateway.supervisor")

_MAX_WAIT_SECONDS: Final = 3600.0
"""`poll` itself is bounded to a few weeks."""

_EXIT_FAILURE: Final = 1


class Supervisor:
    """Keeps a number of workers running.  All times are `time.monotonic()`."""

    def __init__(
        self,
        workers: int,
        times: Times,
        *,
        on_ready: Callable[[], None],
        stop_listening: Callable[[], None],
        reread: Callable[[], Times | None],
        watches: bool = False,
        lines: LineLender | None = None,
    ) -> None:
        """`times` are the time limits of the workers.

        `on_ready` is called when all workers serve for the first time.  `stop_listening` is called
        before the workers end, so that only their own sockets are left.  `reread` is called at
        SIGHUP, before the reload; it returns the time limits from then on, or `None` to cancel the
        reload.  `watches` starts a process that reports changes of the code.  `lines` lends workers
        their line buffers.
        """
        self._lines = lines
        self._times = times
        self._on_ready = on_ready
        self._stop_listening = stop_listening
        self._reread = reread
        self._slots = WorkerSlots(workers)
        self._connection_counts = ConnectionCounts(workers)
        self._workers: dict[int, WorkerProcess] = {}
        self._by_link: dict[int, WorkerProcess] = {}
        self._is_starting = True
        self._is_ending = False
        self._status = 0
        self._end_signals = TerminationSignals()
        self._notices = SignalNotices()
        self._ends_with_terminal = has_terminal() and (
            signal.getsignal(signal.SIGHUP) == signal.SIG_DFL  # Otherwise nohup(1) has started it.
        )
        self._inbox = SignalInbox((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD))
        self._poll = select.poll()
        self._poll.register(self._inbox.descriptor, select.POLLIN)
        self._watch = CodeWatch(self._poll, is_on=watches)

    def run(self) -> int | Link | WatcherLink:
        """Supervise until the gateway ends; return the exit status.

        It also returns in each forked worker and in the watcher, with the link to the supervisor.
        """
        while self._workers or self._watch.process or not self._is_ending:
            now = monotonic()
            if self._watch.is_due(now):
                watcher_link = self._watch.fork(self._fork_linked, now)
                if watcher_link is not None:
                    return watcher_link
            for slot in self._wanting(now):
                if slot.not_before <= now:
                    link = self._fork(slot, now)
                    if link is not None:
                        return link
                    break  # The wanted slots may have changed.
            else:
                self._wait(now)
        return self._status

    # Forking.

    def _wanting(self, now: float) -> Iterator[WorkerSlot]:
        """The slots that need another process."""
        if self._is_ending or now < self._watch.load_at:
            return
        yield from self._slots.wanting(self._workers.values())

    def _fork(self, slot: WorkerSlot, now: float) -> Link | None:
        """Fork a worker; return its link in the worker, `None` in the supervisor."""
        lines = self._lines and self._lines.lend()
        try:
            pid, link = self._fork_linked()
        except OSError as error:
            self._lose(slot, f"no worker can be started ({error.strerror})", None, now)
            return None
        if not pid:
            often = self._watch.is_on
            return Link(link, self._slot_counts(slot), is_often_replaced=often, lines=lines)
        self._add(slot, pid, link, now)
        self._workers[pid].lines = lines
        return None

    def _fork_linked(self) -> tuple[int, socket.socket]:
        return fork_linked(self._inbox, self._leave_to_child)

    def _slot_counts(self, slot: WorkerSlot) -> SlotCounts | None:
        return SlotCounts(self._connection_counts, slot.number) if len(self._slots) > 1 else None

    def _leave_to_child(self) -> None:
        """In a child: close the links to the other children."""
        for worker in self._workers.values():
            worker.link.close()
        if self._watch.process is not None:
            self._watch.process.link.close()

    def _add(self, slot: WorkerSlot, pid: int, link: socket.socket, now: float) -> None:
        worker = WorkerProcess(
            pid, link, generation=self._slots.generation, times=self._times, now=now
        )
        self._workers[pid] = worker
        self._by_link[link.fileno()] = worker
        self._poll.register(link, select.POLLIN)
        slot.loading.append(worker)

    # Events.

    def _wait(self, now: float) -> None:
        """Wait for an event or a deadline, and process what has happened."""
        times = [slot.not_before for slot in self._wanting(now)]
        times += [worker.kill_at for worker in self._workers.values()]
        if self._watch.process is None:
            times.append(self._watch.not_before)
        if now < self._watch.load_at:
            times.append(self._watch.load_at)
        looks = [worker.look_interval() for worker in self._workers.values()]
        longest = min(looks, default=_MAX_WAIT_SECONDS)
        seconds = max(0.0, min(min(times, default=NEVER) - now, longest, _MAX_WAIT_SECONDS))
        is_written = self._lines is None or self._lines.flush()
        if not flush_own_log() or not is_written:
            seconds = min(seconds, RETRY_SECONDS)
        # Rounded up, otherwise the last millisecond would be spent polling.
        ready = self._poll.poll(int(seconds * 1000) + 1)
        now = monotonic()
        # Signals first: a worker that ends because the whole process group got SIGTERM is not lost.
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
            elif number in UNUSED:
                line = self._notices.line(number, now)
                if line is not None:
                    log.warning("%s", line)
        if signal.SIGHUP in numbers:  # Several at once count as one.
            if self._ends_with_terminal and not has_terminal():
                self._end("the end of the terminal", now)
            elif not self._is_ending:
                self._read_again(now)

    def _hear(self, worker: WorkerProcess, now: float) -> None:
        was_ready = worker.ready_at is not None
        if not worker.hear(now):
            self._forget_link(worker)
        slot = self._slots.of(worker)
        if slot is None or worker.ready_at is None:
            return
        if not was_ready:
            self._install(worker, slot, now)
        if worker.has_closed and not (worker.is_leaving or self._is_ending):
            self._connection_counts.clear(slot.number)
            slot.remove(worker, now)  # Its last threads may take long to end.
            if slot.is_awaited():
                log.info("worker %d ends, as it has asked; another is loading", worker.pid)
            else:
                self._lose(slot, f"worker {worker.pid} ends", worker.served(now), now)

    def _install(self, worker: WorkerProcess, slot: WorkerSlot, now: float) -> None:
        """Give the slot to a worker that is ready."""
        slot.not_before = 0.0
        old = slot.worker
        for late in slot.take(worker):
            late.leave(now)
        if old is not None:
            level = logging.DEBUG if self._watch.is_on else logging.INFO
            log.log(level, "worker %d takes over from worker %d", worker.pid, old.pid)
            old.leave(now)
        self._slots.open_all()
        if self._is_starting and self._slots.are_served():
            self._is_starting = False
            self._on_ready()

    def _forget_link(self, worker: WorkerProcess) -> None:
        if self._by_link.pop(worker.link.fileno(), None) is not None:
            self._poll.unregister(worker.link)
            worker.link.close()

    def _reap(self, now: float) -> None:
        for pid, status in reap():
            worker = self._workers.pop(pid, None)
            if self._watch.process is not None and self._watch.process.pid == pid:
                self._hear_watcher(now)
                self._watch.note_end(status, now)
            elif worker is not None:  # Otherwise process 1 has adopted it.
                worker.hear(now)
                self._forget_link(worker)
                if self._lines is not None:
                    self._lines.take_back(worker.lines)
                self._note_end(worker, status, now)

    def _note_end(self, worker: WorkerProcess, status: int, now: float) -> None:
        lived = now - worker.forked_at
        text = f"worker {worker.pid} {worker.ending(status)} after {lived:.1f} s"
        slot = self._slots.of(worker)
        if slot is None or self._is_ending:
            log.log(logging.WARNING if status and worker.ready_at else logging.DEBUG, text)
            return
        if worker is slot.worker:
            self._connection_counts.clear(slot.number)
        slot.remove(worker, now)
        if self._watch.is_on and worker.ready_at is None and self._may_change_help(worker):
            self._await_change("the code cannot be loaded" if worker.has_explained else text)
        elif not self._is_starting:
            self._lose(slot, text, worker.served(now), now)
        else:
            if not worker.has_explained:
                log.critical("%s, before it could serve", text)
            code = os.waitstatus_to_exitcode(status)
            self._fail(code if code > 0 else _EXIT_FAILURE, now)

    def _lose(self, slot: WorkerSlot, text: str, served: float | None, now: float) -> None:
        """Note that a slot has lost its process, or that forking one has failed."""
        if self._is_starting:
            log.critical("%s", text)
            self._fail(_EXIT_FAILURE, now)
            return
        delay = slot.back_off.delay(served)
        slot.not_before = now + delay
        when = f"started in {delay:.1f} s" if delay else "started at once"
        log.error("%s; another is %s", text, "loading" if slot.is_awaited() else when)

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
        """Replace all workers, also those that have failed before."""
        self._slots.generation += 1
        for slot in self._slots:
            slot.not_before, slot.back_off = 0.0, BackOff()
            for worker in tuple(slot.loading):
                self._hear(worker, now)  # It may have become ready.
                if worker in slot.loading:
                    # Its code is outdated, and its loading may never end.
                    worker.leave(now)
                    slot.remove(worker, now)

    def _may_change_help(self, worker: WorkerProcess) -> bool:
        """Whether changed code may let the worker start; otherwise an option is wrong."""
        return worker.is_code_at_fault or not (worker.has_explained and self._is_starting)

    def _await_change(self, text: str) -> None:
        """Start no worker until the code changes."""
        for slot in self._slots:
            slot.not_before = NEVER
        is_served = any(slot.ready_at() is not None for slot in self._slots)
        meanwhile = "the previous code stays in service" if is_served else "requests wait"
        log.error("%s: %s until it changes", text, meanwhile)

    def _tell_reloaded(self) -> None:
        """Log that a change is in service, once no worker serves older code."""
        if not self._slots.are_current():
            return
        since = [slot.ready_at() for slot in self._slots]
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
