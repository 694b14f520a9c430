"""From settings to processes: the listening socket, the supervisor and its workers.

The supervisor must not import what workers run: it stays small, and has nothing that could fail.
"""

import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config import Config
from gateway.config.rereading import Rereading
from gateway.errors import CodeError, UsageError
from gateway.idle_signals import disarm
from gateway.listening import address_of, listen_on_path, listen_on_port, refuse_new, take_over
from gateway.observe.log_lines import LineFormatter
from gateway.printable import printable
from gateway.supervision.forking import has_terminal
from gateway.supervision.link import Link
from gateway.supervision.supervisor import Supervisor
from gateway.supervision.watching import WatcherLink
from gateway.supervision.worker_process import GRACE, Times

log = logging.getLogger("gateway.service")

_LEAST_LEAVE: Final = 1.0
"""Seconds for the threads of code that could not be loaded."""


class _Shared(NamedTuple):
    """Descriptors for all workers, and for who watches their code."""

    log_lock: int | None
    """A file without a name for workers to lock while they write to the access log."""
    files_read: int = -1
    """Where the watcher reads of files that code has been loaded from, if there is one."""
    files_told: int = -1
    """Where workers write of them."""


def serve(config: Config, load: Callable[[], Config] | None = None) -> int:
    """Serve until told to stop; the exit status.

    `load` reads the settings again, for a reload; `None`: they stay what they are.
    It returns in each worker process, too, and in the one that watches the code.

    Raises:
        UsageError: something that the user can mend keeps the gateway from starting.
    """
    _configure_logging(config)
    settings = Rereading(config, load or (lambda: config))
    if config.reload:
        settings.in_force = config = replace(config, chdir=_code_folder(config.chdir))
    sock = _listen(config)
    # Loading the handler changes the current folder.
    socket_path = None if config.unix is None else config.unix.absolute()
    address = address_of(sock)
    shared = _share(config)
    supervisor = os.getpid()
    outcome: int | Link | WatcherLink | None = None
    try:
        outcome = _supervise(settings, sock, address) if config.workers else None
        if isinstance(outcome, int):
            return outcome
        if isinstance(outcome, WatcherLink):
            sock.close()
            outcome.end_with(supervisor)
            return _watch(config, outcome, shared)
        config = settings.in_force
        if isinstance(outcome, Link):
            outcome.end_with(supervisor, leaving_time(config) + GRACE)
        return _work(config, sock, address, outcome, shared)
    finally:
        sock.close()
        if socket_path is not None and not isinstance(outcome, Link | WatcherLink):
            socket_path.unlink(missing_ok=True)


def _configure_logging(config: Config) -> None:
    """Log to stderr, unless the process that imports the gateway has said otherwise."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=config.log_level.upper(), handlers=[handler])


def _listen(config: Config) -> socket.socket:
    if config.fd is not None:
        return take_over(config.fd)
    if config.unix is not None:
        return listen_on_path(config.unix, config.backlog, config.unix_mode)
    return listen_on_port(config.host, config.port, config.backlog)


def _code_folder(chdir: Path | None) -> Path:
    """The folder of the code, as a path that leads there whatever becomes of the current folder.

    Raises:
        UsageError: there is none, so nothing in it can change.
    """
    folder = chdir or Path()
    try:
        folder = folder.absolute()
    except OSError as error:
        raise UsageError(
            f"the current folder has gone ({error.strerror}): change to one"
        ) from error
    if not folder.is_dir():
        raise UsageError(f"--chdir {folder}: is no folder; name the folder of the handler")
    return folder


def _share(config: Config) -> _Shared:
    if not config.reload:
        return _Shared(_log_lock(config))
    read, told = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(told, False)  # No worker waits for a watcher, which may be stopped.
    return _Shared(_log_lock(config), read, told)


def _log_lock(config: Config) -> int | None:
    # One worker needs it, too: beside the one that takes its place it is not the only one.  A log
    # that is off may be on after a reload.
    if not config.workers or not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("gateway-log")


def _supervise(settings: Rereading, sock: socket.socket, address: str) -> int | Link | WatcherLink:
    """The exit status; in each worker and in the watcher its link to the supervisor."""
    config = settings.in_force
    supervisor = Supervisor(
        config.workers,
        _times(config),
        on_ready=lambda: _announce(config, address),
        stop_listening=lambda: _stop_listening(config, sock),
        reread=lambda: _read_again(settings),
        watches=config.reload,
    )
    return supervisor.run()


def _times(config: Config) -> Times:
    return Times(config.start_timeout, config.worker_timeout, leaving_time(config))


def _read_again(settings: Rereading) -> Times | None:
    """What SIGHUP asks for; `None`: there is a mistake, which is told."""
    try:
        changed = settings.read_again()
    except UsageError as error:
        log.error("SIGHUP changes nothing: %s", printable(" ".join(str(error).splitlines())))
        return None
    except Exception as error:  # The old workers must go on whatever this is.
        log.error("SIGHUP changes nothing: the settings cannot be read again: %r", error)
        return None
    for notice in settings.in_force.notices:
        log.warning("%s", printable(notice))
    if changed:
        log.warning("SIGHUP: what has changed of %s needs a restart", ", ".join(changed))
    return _times(settings.in_force)


def leaving_time(config: Config) -> float:
    """Seconds that a worker may take for its last requests, and behind them for PreStop."""
    return config.drain_timeout + (config.pre_stop_timeout if config.pre_stop else 0.0)


def _stop_listening(config: Config, sock: socket.socket) -> None:
    """Before the workers take what waits, and none is left to accept more."""
    if config.fd is None:
        refuse_new(sock)
    sock.close()


def _watch(config: Config, link: WatcherLink, shared: _Shared) -> int:
    # Not before there is a watcher.
    from gateway.development.code_tree import CodeTree, summary  # noqa: PLC0415
    from gateway.development.watcher import News, Watcher, poll_delay  # noqa: PLC0415

    root = str(config.chdir)

    def tell(paths: list[str]) -> None:
        link.tell(printable(summary(paths, root)))

    tree = CodeTree(root, config.reload_include)
    delay = poll_delay(os.environ, os.uname().release)
    with suppress(OSError):  # The supervisor has gone.
        Watcher(tree, News(link, shared.files_read), tell, delay).run()
    return 0


def _work(
    config: Config, sock: socket.socket, address: str, link: Link | None, shared: _Shared
) -> int:
    # None of this before there is a worker.
    from gateway.signal_stack import enlarge  # noqa: PLC0415

    with suppress(OSError, ValueError, RuntimeError):  # Standard error is none to write to.
        faulthandler.enable()
        enlarge()
    from gateway.app import Post, work  # noqa: PLC0415
    from gateway.departure import leave_within  # noqa: PLC0415

    if link is None:
        _disarm_alone()
        work(config, Post(sock, lambda: _announce(config, address)))
        return 0
    if config.reload:
        from gateway.development.code_loading import load_from_source  # noqa: PLC0415

        load_from_source(str(config.chdir), shared.files_told)
    try:
        work(config, Post(sock, link.tell_ready, link, shared.log_lock))
    except UsageError as error:
        link.tell_explained(is_code_at_fault=isinstance(error, CodeError))
        # Threads that the code has started would keep the process.
        leave_within(_LEAST_LEAVE, status=2)
        raise
    return 0


def _disarm_alone() -> None:
    """Without a supervisor: a terminal that closes still ends the gateway, other SIGHUPs do not."""
    has_one = has_terminal()

    def end_with_terminal(number: int) -> bool:
        if number != signal.SIGHUP or not has_one or has_terminal():
            return False
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    why = "with --workers 0 nothing can be loaded again; start the gateway anew"
    disarm({signal.SIGHUP: why}, unless=end_with_terminal)


def _announce(config: Config, address: str) -> None:
    """Tell that the gateway is ready, where, and for the demonstration what to try."""
    lines = [f"Listening on {address} (pid {os.getpid()})"]
    if config.reload:
        lines.append(f"Watching {config.chdir}: when its code changes it is loaded again")
    if config.target is None and address.startswith("http"):
        lines += [
            "Try:",
            f"  curl {address}/",
            f"  curl -d 'hello' {address}/echo",
            f"  curl {address}/context",
        ]
    # Not what stands in the place of standard error for the handler.
    # In one write: workers log to the same place, and without a buffer `print` makes two of it.
    text = "".join(f"{printable(line)}\n" for line in lines)
    print(text, end="", file=sys.__stderr__, flush=True)
