"""From settings to processes: the listening socket, the supervisor and its workers.

The supervisor must not import what workers run: it stays small, and has nothing that could fail.
"""

import faulthandler
import logging
import os
import socket
import sys
from contextlib import suppress

from gateway.config import Config
from gateway.errors import UsageError
from gateway.listening import address_of, listen_on_path, listen_on_port, refuse_new, take_over
from gateway.observe.log_lines import LineFormatter, printable
from gateway.supervision.link import Link
from gateway.supervision.supervisor import Supervisor


def serve(config: Config) -> int:
    """Serve until told to stop; the exit status.

    It returns in each worker process, too.

    Raises:
        UsageError: something that the user can mend keeps the gateway from starting.
    """
    _configure_logging(config)
    sock = _listen(config)
    # Loading the handler changes the current folder.
    socket_path = None if config.unix is None else config.unix.absolute()
    address = address_of(sock)
    log_lock = _log_lock(config)
    outcome: int | Link | None = None
    try:
        outcome = _supervise(config, sock, address) if config.workers else None
        if isinstance(outcome, int):
            return outcome
        return _work(config, sock, address, outcome, log_lock)
    finally:
        sock.close()
        if socket_path is not None and not isinstance(outcome, Link):
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


def _log_lock(config: Config) -> int | None:
    """A file without a name for workers to lock while they write to the access log.

    One worker needs it, too: beside the one that takes its place it is not the only one.
    """
    if config.access_log == "off" or not config.workers or not hasattr(os, "memfd_create"):
        return None
    return os.memfd_create("gateway-access-log")


def _supervise(config: Config, sock: socket.socket, address: str) -> int | Link:
    """The exit status; in each worker its link to the supervisor."""
    supervisor = Supervisor(
        config.workers,
        worker_timeout=config.worker_timeout,
        drain_timeout=config.drain_timeout,
        on_ready=lambda: _announce(config, address),
        stop_listening=lambda: _stop_listening(config, sock),
    )
    return supervisor.run()


def _stop_listening(config: Config, sock: socket.socket) -> None:
    """Before the workers take what waits, and none is left to accept more."""
    if config.fd is None:
        refuse_new(sock)
    sock.close()


def _work(
    config: Config, sock: socket.socket, address: str, link: Link | None, log_lock: int | None
) -> int:
    # Not before there is a worker.
    from gateway.app import Post, work  # noqa: PLC0415

    with suppress(OSError, ValueError, RuntimeError):  # Standard error is none to write to.
        faulthandler.enable()
    if link is None:
        work(config, Post(sock, lambda: _announce(config, address)))
        return 0
    try:
        work(config, Post(sock, link.tell_ready, link, log_lock))
    except UsageError:
        link.tell_explained()
        raise
    return 0


def _announce(config: Config, address: str) -> None:
    """Tell that the gateway is ready, where, and for the demonstration what to try."""
    lines = [f"Listening on {address} (pid {os.getpid()})"]
    if config.target is None and address.startswith("http"):
        lines += [
            "Try:",
            f"  curl {address}/",
            f"  curl -d 'hello' {address}/echo",
            f"  curl {address}/context",
        ]
    # In one write: workers log to the same place, and without a buffer `print` makes two of it.
    text = "".join(f"{printable(line)}\n" for line in lines)
    print(text, end="", file=sys.stderr, flush=True)
