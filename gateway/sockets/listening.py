"""Listening sockets: creating, inheriting and naming them.  Every error says how to mend it."""

import ctypes
import errno
import fcntl
import os
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from gateway.errors import UsageError


def listen_on_port(host: str, port: int, backlog: int) -> socket.socket:
    """Listen on a TCP port; 0 picks a free one.

    Raises:
        UsageError: it cannot listen on this address.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
    except (OSError, UnicodeError) as error:  # UnicodeError: not a valid name (RFC 3490).
        raise UsageError(f"{_no_address(host)} ({error})") from error
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host != "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise UsageError(_bind_failure(host, port, error)) from error
    return sock


def _bind_failure(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use: stop what listens there, or choose another --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs privileges: choose a --port above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return _no_address(host)
    return f"cannot listen on {host}, port {port}: {error.strerror}"


def _no_address(host: str) -> str:
    return (
        f"--host {host} is no address of this machine: "
        "0.0.0.0 listens on all it has, 127.0.0.1 for this machine alone"
    )


def listen_on_path(path: Path, backlog: int, mode: int = 0o600) -> socket.socket:
    """Listen on a Unix socket; replace one that a dead process left behind.

    The socket has its `mode` from the beginning, so no other user can connect meanwhile.  No other
    thread may create files at the same time.

    Raises:
        UsageError: it cannot listen on this path.
    """
    # Locked: a socket that is bound but does not listen yet looks like a dead one, and two gateways
    # that find the same dead one must not remove each other's socket.
    with _locked(path.parent):
        _clear_stale(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o777 & ~mode)  # `bind` creates it with 0777 minus this.
            try:
                sock.bind(str(path))
            finally:
                os.umask(before)
            sock.listen(backlog)
        except OSError as error:
            sock.close()
            raise _unusable(path, error) from error
    return sock


def listen_on_name(name: str, backlog: int) -> socket.socket:
    """Listen on an abstract Unix socket (unix(7)), written as `@name`: it has no file and no mode.

    Raises:
        UsageError: the name cannot be had, or the system has no such sockets.
    """
    if not sys.platform.startswith("linux"):
        raise UsageError(f"--unix {name}: only Linux has abstract sockets; give the path of one")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(b"\0" + os.fsencode(name[1:]))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise _in_use(name) from error
        raise UsageError(
            f"cannot listen on --unix {name}: {error.strerror or error}; choose a shorter name"
        ) from error
    return sock


class BoundPath:
    """The path of a Unix socket that this process has just bound and will remove."""

    def __init__(self, path: Path) -> None:
        # Loading the handler changes the current folder.
        self._path = path.absolute()
        self._pid = os.getpid()
        self._made = _identity_at(self._path)

    def remove(self) -> None:
        """Remove the path, once, if it still leads to the socket that was bound.

        Call it before every process has closed the socket: the system does not reuse the inode of
        an open socket.
        """
        made, self._made = self._made, None
        if made is None or os.getpid() != self._pid:
            return
        with suppress(OSError), _locked(self._path.parent):
            if _identity_at(self._path) == made:
                self._path.unlink()


def _identity_at(path: Path) -> tuple[int, int] | None:
    """Device and inode of the socket at a path; `None` if there is no socket."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISSOCK(status.st_mode) else None


_LOCK_ATTEMPTS: Final = 100
_LOCK_PAUSE_SECONDS: Final = 0.01
"""Others hold the lock for less than a millisecond."""


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other gateways from creating and removing sockets in a folder.

    If the folder cannot be locked, or another process keeps it locked, go on without the lock.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_SECONDS)
            except OSError:  # The file system has no locks.
                break
        yield
    finally:
        os.close(descriptor)


def _clear_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise UsageError(f"--unix {path} exists and is no socket: choose another path")
        found = path.lstat()
    except OSError:
        return  # Nothing is there, or `bind` will report the fault.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # Connecting to a stopped process with a full queue would block.
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            _unlink(path, found)
        except BlockingIOError:
            raise _in_use(path) from None
        except OSError as error:
            raise _unusable(path, error) from error
        else:
            raise _in_use(path)


def _unlink(path: Path, found: os.stat_result) -> None:
    """Remove the socket found at a path, unless something else has replaced it meanwhile."""
    try:
        if not os.path.samestat(path.lstat(), found):
            raise _in_use(path)
        path.unlink()
    except FileNotFoundError:  # Another process was first.
        return
    except OSError as error:
        raise _unusable(path, error) from error


def _in_use(path: Path | str) -> UsageError:
    return UsageError(f"--unix {path} is in use: stop what listens there, or choose another")


def _unusable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot listen on --unix {path}: {error.strerror or error}; "
        "choose a short path in a folder that exists and may be written to"
    )


def take_over(descriptor: int, backlog: int | None = None) -> socket.socket:
    """Use an inherited listening socket; set its backlog unless `backlog` is `None`.

    Raises:
        UsageError: the descriptor is not a listening stream socket.
    """
    try:
        sock = socket.socket(fileno=os.dup(descriptor))
        os.set_inheritable(descriptor, False)  # Programs that handlers start must not inherit it.
        is_listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise UsageError(
            f"--fd {descriptor} is no socket ({error.strerror}): "
            "pass the number of a listening socket that this process inherits"
        ) from error
    if not is_listening or sock.type != socket.SOCK_STREAM:
        sock.close()
        raise UsageError(
            f"--fd {descriptor} is no listening stream socket: call listen() on it before"
        )
    if backlog is not None:
        sock.listen(backlog)
    return sock


def refuse_new(sock: socket.socket) -> None:
    """Refuse new connections on a listening socket that is about to be closed.

    Otherwise connections that arrive between the last `accept` and the close would be reset,
    although their clients have seen them open.  Queued connections can still be accepted.  This
    affects all processes that share the socket, and cannot be undone.  Linux only; elsewhere it
    does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError):
        if sock.family == socket.AF_UNIX:
            sock.shutdown(socket.SHUT_RD)  # From now on `connect` is refused.
        else:
            # Drop first segments (socket(7), SO_ATTACH_FILTER): the client repeats its segment
            # after a second and is then refused.
            code = ctypes.create_string_buffer(_DROP_FIRST_SEGMENTS)
            count = len(_DROP_FIRST_SEGMENTS) // 8
            program = struct.pack("@HP", count, ctypes.addressof(code))
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


_SO_ATTACH_FILTER: Final = 26

_DROP_FIRST_SEGMENTS: Final = b"".join(
    struct.pack("@HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # Load the flags of the TCP header,
        (0x54, 0, 0, 0x12),  # mask SYN and ACK,
        (0x15, 1, 0, 0x02),  # if only SYN is set, skip one.
        (0x06, 0, 0, 0xFFFFFFFF),  # Pass the segment.
        (0x06, 0, 0, 0),  # Drop it.
    )
)
"""A classic BPF program; RFC 9293 §3.1 defines the TCP header."""


def listening_address(sock: socket.socket) -> str:
    """The address of a listening socket for clients: a URL, or `unix:` and the path or `@name`."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        if isinstance(name, bytes):  # An abstract one.
            return f"unix:@{os.fsdecode(name.removeprefix(bytes(1)))}"
        return f"unix:{os.fsdecode(name)}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"
