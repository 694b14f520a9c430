"""From settings to processes: the listening socket, the supervisor and its workers.

The supervisor must not import what workers run: it stays small, with little that can fail.
"""

import faulthandler
import os
import signal
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from gateway.code.green_threads import require_real_threads
from gateway.config import Config
from gateway.config.rereading import Rereading
from gateway.error_log.loggers import logger, say, speak
from gateway.error_log.nonblocking_file import standard_error
from gateway.error_log.writer import ErrorLog
from gateway.errors import CodeError, UsageError
from gateway.logs.line_store import LineStore
from gateway.processes.code_watch import WatcherLink
from gateway.processes.forking import has_terminal
from gateway.processes.link import Link
from gateway.processes.supervisor import Supervisor
from gateway.processes.worker_process import GRACE_SECONDS, Times
from gateway.signals.unused import survive_unused_signals
from gateway.sockets.descriptors import occupy_standard
from gateway.sockets.listening import (
    BoundPath,
    listen_on_name,
    listen_on_path,
    listen_on_port,
    listening_address,
    refuse_new,
    take_over,
)
from gateway.text.printable import printable
from gateway.worker.announcement import Announcement
from gateway.worker.worker_count import worker_count

log = logger("gateway.service")

_CLOSE_SECONDS: Final = 1.0
"""Time for a reader to take the end of the gateway's own log."""

_FAILED_LOAD_END_SECONDS: Final = 1.0
"""Time to end for the threads of code that could not be loaded."""


class _SharedResources(NamedTuple):
    """Resources that all workers and the code watcher share."""

    log_lock: int | None
    """An anonymous file that workers lock while they write to the access log."""
    files_read: int = -1
    """The pipe end from which the watcher reads the paths of loaded files; -1 without a watcher."""
    files_write: int = -1
    """The pipe end to which workers write these paths."""
    store: LineStore | None = None
    """Keeps the lines that workers have not written when they end."""


def serve(config: Config, load: Callable[[], Config] | None = None) -> int:
    """Serve until a signal ends the gateway; return the exit status.

    `load` reads the settings again for a reload; with `None` they stay unchanged.  It also returns
    in each worker process and in the process that watches the code.

    Raises:
        UsageError: something that the user can mend keeps the gateway from starting.
    """
    require_real_threads()  # The interpreter may have loaded patches at its start.
    occupy_standard()  # Otherwise a socket could get the number of a standard stream.
    own_log = ErrorLog(standard_error(), config.log_level)
    speak(own_log)
    try:
        return _serve(config, load, own_log)
    finally:
        own_log.close(_CLOSE_SECONDS)


def _serve(config: Config, load: Callable[[], Config] | None, own_log: ErrorLog) -> int:
    settings = Rereading(config, load or (lambda: config))
    if config.reload:
        settings.in_force = config = replace(config, chdir=_code_folder(config.chdir))
    sock = _listen(config)
    bound = BoundPath(config.unix) if isinstance(config.unix, Path) else None
    workers = worker_count(config)
    announcement = Announcement(config, workers, listening_address(sock))
    settings.in_force = config = replace(config, workers=workers)
    shared = _share(config)
    supervisor = os.getpid()
    outcome: int | Link | WatcherLink | None = None
    try:
        outcome = (
            _supervise(settings, sock, bound, announcement, shared) if config.workers else None
        )
        if isinstance(outcome, int):
            if shared.store is not None:
                shared.store.close(_CLOSE_SECONDS)
            return outcome
        if isinstance(outcome, WatcherLink):
            sock.close()
            outcome.end_with(supervisor)
            return _watch(config, outcome, shared)
        config = settings.in_force
        if isinstance(outcome, Link):
            outcome.end_with(supervisor, leaving_time(config) + GRACE_SECONDS)
        return _work(config, sock, announcement, outcome, shared, bound=bound, own_log=own_log)
    finally:
        if bound is not None:
            bound.remove()  # Does nothing in a child, or a second time.
        sock.close()


def _listen(config: Config) -> socket.socket:
    if config.fd is not None:
        return take_over(config.fd, config.backlog)
    if isinstance(config.unix, str):
        return listen_on_name(config.unix, config.backlog)
    if config.unix is not None:
        return listen_on_path(config.unix, config.backlog, config.unix_mode)
    return listen_on_port(config.host, config.port, config.backlog)


def _code_folder(chdir: Path | None) -> Path:
    """The folder of the code as an absolute path, independent of the current folder.

    Raises:
        UsageError: there is no such folder, so there is nothing to watch.
    """
    folder = chdir or Path()
    try:
        folder = folder.absolute()
    except OSError as error:
        raise UsageError(
            f"the current folder no longer exists ({error.strerror}): change to another"
        ) from error
    if not folder.is_dir():
        raise UsageError(f"--chdir {folder}: is no folder; name the folder of the handler")
    return folder


def _share(config: Config) -> _SharedResources:
    if not config.reload:
        return _SharedResources(_log_lock(config), store=_line_store(config))
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)  # A worker must not wait for a watcher that is stopped.
    return _SharedResources(_log_lock(config), read, write, _line_store(config))


def _has_lines(config: Config) -> bool:
    """Whether workers write lines to standard output."""
    return config.workers > 0 and (config.access_log, config.function_log) != ("off", "off")


def _line_store(config: Config) -> LineStore | None:
    return LineStore() if _has_lines(config) else None


def _log_lock(config: Config) -> int | None:
    # A single worker needs it, too: its replacement runs beside it for a while.  A log that is off
    # may be on after a reload.
    if not config.workers or not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("gateway-log")


def _supervise(
    settings: Rereading,
    sock: socket.socket,
    bound: BoundPath | None,
    announcement: Announcement,
    shared: _SharedResources,
) -> int | Link | WatcherLink:
    """The exit status; in each worker and in the watcher the link to the supervisor."""
    config = settings.in_force
    supervisor = Supervisor(
        config.workers,
        _times(config),
        on_ready=lambda: _announce(announcement),
        stop_listening=lambda: _stop_listening(config, sock, bound),
        reread=lambda: _read_again(settings),
        watches=config.reload,
        lines=shared.store,
    )
    return supervisor.run()


def _times(config: Config) -> Times:
    return Times(config.start_timeout, config.worker_timeout, leaving_time(config))


def _read_again(settings: Rereading) -> Times | None:
    """The time limits after SIGHUP; `None` if the settings have a fault, which is logged."""
    try:
        changed = settings.read_again()
    except UsageError as error:
        log.error("SIGHUP changes nothing: %s", printable(" ".join(str(error).splitlines())))
        return None
    except Exception as error:  # The old workers must go on in any case.
        log.error("SIGHUP changes nothing: the settings cannot be read again: %r", error)
        return None
    for notice in settings.in_force.notices:
        log.warning("%s", printable(notice))
    if changed:
        log.warning("SIGHUP: changes of %s need a restart", ", ".join(changed))
    return _times(settings.in_force)


def leaving_time(config: Config) -> float:
    """Seconds that a worker may take for its last requests and then for PreStop."""
    return config.drain_timeout + (config.pre_stop_timeout if config.pre_stop else 0.0)


def _stop_listening(config: Config, sock: socket.socket, bound: BoundPath | None) -> None:
    """Refuse new connections and close the supervisor's socket, before the workers drain."""
    _refuse_new_connections(config, sock, bound)
    sock.close()


def _refuse_new_connections(config: Config, sock: socket.socket, bound: BoundPath | None) -> None:
    """Refuse new connections; remove the path of a Unix socket, so that another may listen
    there."""
    if bound is not None:
        bound.remove()
    if config.fd is None:
        refuse_new(sock)


def _watch(config: Config, link: WatcherLink, shared: _SharedResources) -> int:
    # Only the watcher imports these.
    from gateway.code.code_tree import CodeTree, summary  # noqa: PLC0415
    from gateway.code.watcher import Watcher, WatcherMessages, poll_delay  # noqa: PLC0415

    root = str(config.chdir)

    def tell(paths: list[str]) -> None:
        link.tell(printable(summary(paths, root)))

    tree = CodeTree(root, config.reload_include)
    delay = poll_delay(os.environ, os.uname().release)
    with suppress(OSError):  # The supervisor is gone.
        Watcher(tree, WatcherMessages(link, shared.files_read), tell, delay).run()
    return 0


def _work(
    config: Config,
    sock: socket.socket,
    announcement: Announcement,
    link: Link | None,
    shared: _SharedResources,
    *,
    bound: BoundPath | None,
    own_log: ErrorLog,
) -> int:
    # Only a worker imports these.
    from gateway.signals.alternate_stack import enlarge_signal_stack  # noqa: PLC0415

    with suppress(OSError, ValueError, RuntimeError):
        # To a non-blocking descriptor: a crash must not wait for a reader.
        faulthandler.enable(own_log.descriptor)
        enlarge_signal_stack()
    from gateway.worker.app import WorkerPost, work  # noqa: PLC0415
    from gateway.worker.exit_watchdog import leave_within  # noqa: PLC0415

    if link is None:
        _disarm_without_supervisor()
        tell_ready = partial(_announce, announcement)
        stop_listening = partial(_refuse_new_connections, config, sock, bound)
        fail = partial(_fail, own_log=own_log, link=None)
        return work(config, WorkerPost(sock, tell_ready, announcement.note, fail, stop_listening))
    if config.reload:
        from gateway.code.source_loading import load_from_source  # noqa: PLC0415

        load_from_source(str(config.chdir), shared.files_write)
    try:
        fail = partial(_fail, own_log=own_log, link=link)
        post = WorkerPost(
            sock,
            link.tell_ready,
            announcement.note,
            fail,
            link=link,
            log_lock=shared.log_lock,
            lines=link.lines,
        )
        return work(config, post)
    except UsageError as error:
        link.tell_explained(is_code_at_fault=isinstance(error, CodeError))
        # Threads that the code has started would keep the process alive.
        leave_within(_FAILED_LOAD_END_SECONDS, status=2)
        raise


def _disarm_without_supervisor() -> None:
    """Without a supervisor: SIGHUP ends the gateway only when its terminal has closed."""
    has_one = has_terminal()

    def end_with_terminal(number: int) -> bool:
        if number != signal.SIGHUP or not has_one or has_terminal():
            return False
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    why = "with --workers 0 nothing can be loaded again; start the gateway anew"
    survive_unused_signals({signal.SIGHUP: why}, unless=end_with_terminal)


def _announce(announcement: Announcement) -> None:
    """Report that the gateway is ready, its address and what it serves."""
    say("\n".join(map(printable, announcement.lines())))


def _fail(error: BaseException, *, own_log: ErrorLog, link: Link | None) -> None:
    """End the process with the exit status for `error`, although a thread is stuck in user code."""
    status = 1
    if isinstance(error, UsageError):
        status = 2
        if link is not None:
            link.tell_explained(is_code_at_fault=isinstance(error, CodeError))
    try:
        if status == 2:
            text = printable(" ".join(str(error).splitlines()))
            say(f"gateway: error: {text}")
        else:
            say("".join(traceback.format_exception(error)).removesuffix("\n"))
        own_log.close(_CLOSE_SECONDS)
    finally:
        os._exit(status)
