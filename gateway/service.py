"""From settings to processes: the listening socket, the supervisor and its workers.

The supervisor must not import what workers run: it stays small, and has nothing that could fail.
"""

import faulthandler
import os
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config import Config
from gateway.descriptors import occupy_standard
from gateway.errors import CodeError, UsageError
from gateway.green_threads import require_real_threads
from gateway.listening import address_of, listen_on_path, listen_on_port, refuse_new, take_over
from gateway.loggers import say, speak
from gateway.observe.error_log import ErrorLog
from gateway.observe.line_store import LineStore
from gateway.outlet import standard_error
from gateway.printable import printable
from gateway.supervision.link import Link
from gateway.supervision.supervisor import Supervisor
from gateway.supervision.watching import WatcherLink

_CLOSE_SECONDS: Final = 1.0
"""In which a reader may take the end of the gateway's own log."""


class _Shared(NamedTuple):
    """Descriptors for all workers, and for who watches their code."""

    log_lock: int | None
    """A file without a name for workers to lock while they write to the access log."""
    files_read: int = -1
    """Where the watcher reads of files that code has been loaded from, if there is one."""
    files_told: int = -1
    """Where workers write of them."""
    store: LineStore | None = None
    """What workers have not written when they end."""


def serve(config: Config) -> int:
    """Serve until told to stop; the exit status.

    It returns in each worker process, too, and in the one that watches the code.

    Raises:
        UsageError: something that the user can mend keeps the gateway from starting.
    """
    require_real_threads()  # As far as what the interpreter loads at its start is concerned.
    occupy_standard()  # Or a socket would be one of the standard streams.
    own_log = ErrorLog(standard_error(), config.log_level)
    speak(own_log)
    try:
        return _serve(config, own_log)
    finally:
        own_log.close(_CLOSE_SECONDS)


def _serve(config: Config, own_log: ErrorLog) -> int:
    if config.reload:
        config = replace(config, chdir=_code_folder(config.chdir))
    sock = _listen(config)
    # Loading the handler changes the current folder.
    socket_path = None if config.unix is None else config.unix.absolute()
    address = address_of(sock)
    shared = _share(config)
    outcome: int | Link | WatcherLink | None = None
    try:
        outcome = _supervise(config, sock, address, shared) if config.workers else None
        if isinstance(outcome, int):
            if shared.store is not None:
                shared.store.close(_CLOSE_SECONDS)
            return outcome
        if isinstance(outcome, WatcherLink):
            sock.close()
            return _watch(config, outcome, shared)
        return _work(config, sock, address, outcome, shared, own_log)
    finally:
        sock.close()
        if socket_path is not None and not isinstance(outcome, Link | WatcherLink):
            socket_path.unlink(missing_ok=True)


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
        return _Shared(_log_lock(config), store=_line_store(config))
    read, told = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(told, False)  # No worker waits for a watcher, which may be stopped.
    return _Shared(_log_lock(config), read, told, _line_store(config))


def _has_lines(config: Config) -> bool:
    """Whether workers write lines to standard output."""
    return config.workers > 0 and (config.access_log, config.function_log) != ("off", "off")


def _line_store(config: Config) -> LineStore | None:
    return LineStore() if _has_lines(config) else None


def _log_lock(config: Config) -> int | None:
    # One worker needs it, too: beside the one that takes its place it is not the only one.
    if not _has_lines(config) or not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("gateway-log")


def _supervise(
    config: Config, sock: socket.socket, address: str, shared: _Shared
) -> int | Link | WatcherLink:
    """The exit status; in each worker and in the watcher its link to the supervisor."""
    supervisor = Supervisor(
        config.workers,
        worker_timeout=config.worker_timeout,
        drain_timeout=leaving_time(config),
        on_ready=lambda: _announce(config, address),
        stop_listening=lambda: _stop_listening(config, sock),
        watches=config.reload,
        lines=shared.store,
    )
    return supervisor.run()


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
    with suppress(ConnectionError):  # The supervisor has gone.
        Watcher(tree, News(link, shared.files_read), tell, delay).run()
    return 0


def _work(
    config: Config,
    sock: socket.socket,
    address: str,
    link: Link | None,
    shared: _Shared,
    own_log: ErrorLog,
) -> int:
    # Not before there is a worker.
    from gateway.app import Post, work  # noqa: PLC0415

    with suppress(OSError, ValueError, RuntimeError):
        # To what does not block: who crashes must not wait for a reader.
        faulthandler.enable(own_log.descriptor)
    if link is None:
        work(config, Post(sock, lambda: _announce(config, address)))
        return 0
    if config.reload:
        from gateway.development.code_loading import load_from_source  # noqa: PLC0415

        load_from_source(str(config.chdir), shared.files_told)
    try:
        work(config, Post(sock, link.tell_ready, link, shared.log_lock, link.lines))
    except UsageError as error:
        link.tell_explained(is_code_at_fault=isinstance(error, CodeError))
        raise
    return 0


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
    say("\n".join(map(printable, lines)))
