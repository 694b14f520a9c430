"""Listening sockets, and the words for each reason why there is none."""

import errno
import os
import socket
import stat
import subprocess
import sys

import pytest

from gateway import listening
from gateway.errors import UsageError
from gateway.listening import (
    accept_queued,
    address_of,
    listen_on_path,
    listen_on_port,
    refuse_new,
    take_over,
)


def refusal_of(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    text = str(caught.value)
    assert text.isprintable()
    return text


def connects(sock):
    with socket.socket(sock.family) as client:
        client.connect(sock.getsockname())
    return True


# --- ports -------------------------------------------------------------------------------------


def test_a_free_port():
    with listen_on_port("127.0.0.1", 0, 5) as sock:
        port = sock.getsockname()[1]
        assert address_of(sock) == f"http://127.0.0.1:{port}"
        assert connects(sock)


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host):
    try:
        sock = listen_on_port(host, 0, 5)
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert address_of(sock).startswith(f"http://[{host}]:")
        is_v6_only = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        assert bool(is_v6_only) == (host != "::")


def test_a_port_in_use():
    with listen_on_port("127.0.0.1", 0, 5) as sock:
        port = sock.getsockname()[1]
        text = refusal_of(listen_on_port, "127.0.0.1", port, 5)
    assert text == (
        f"port {port} of 127.0.0.1 is in use: stop what listens there, or choose another --port"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a..b", "x" * 64])
def test_a_host_of_another_machine(host):
    assert refusal_of(listen_on_port, host, 0, 5).startswith(
        f"--host {host} is no address of this machine"
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.EACCES, "port 80 needs privileges: choose a --port above 1023"),
        (errno.ENOBUFS, "cannot listen on h, port 80: No buffer space available"),
    ],
)
def test_other_failures(code, text):
    assert listening._bind_failure("h", 80, OSError(code, os.strerror(code))) == text


def test_the_port_may_be_used_again_at_once():
    with listen_on_port("127.0.0.1", 0, 5) as sock:
        port = sock.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = sock.accept()
        accepted.close()  # The side that closes first keeps the port in TIME_WAIT.
        client.close()
    listen_on_port("127.0.0.1", port, 5).close()


# --- paths -------------------------------------------------------------------------------------


def test_a_path(tmp_path):
    path = tmp_path / "gateway.sock"
    with listen_on_path(path, 5) as sock:
        assert address_of(sock) == f"unix:{path}"
        assert connects(sock)
        text = refusal_of(listen_on_path, path, 5)
        assert text == f"--unix {path} is in use: stop what listens there, or choose another"
        assert connects(sock), "asking has not disturbed who listens"


def test_what_a_dead_process_left_is_replaced(tmp_path):
    path = tmp_path / "gateway.sock"
    listen_on_path(path, 5).close()
    assert path.exists()
    with listen_on_path(path, 5) as sock:
        assert connects(sock)


def test_a_file_is_never_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    assert refusal_of(listen_on_path, path, 5) == (
        f"--unix {path} exists and is no socket: choose another path"
    )
    assert path.read_text() == "precious"


@pytest.mark.parametrize("name", ["no/such/folder/x.sock", "x" * 200])
def test_a_path_that_cannot_be(tmp_path, name):
    path = tmp_path / name
    assert refusal_of(listen_on_path, path, 5).startswith(f"cannot listen on --unix {path}: ")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777, 0o000])
def test_the_mode_of_a_path(tmp_path, umask, mode):
    path = tmp_path / "gateway.sock"
    before = os.umask(umask)
    try:
        with listen_on_path(path, 5, mode):
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        assert os.umask(before) == umask, "what files are made with is as it was"


def test_nobody_else_may_connect_without_being_asked(tmp_path):
    path = tmp_path / "gateway.sock"
    with listen_on_path(path, 5):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


WATCHED = """
import os, stat, sys
from pathlib import Path
from gateway.listening import listen_on_path

modes, path = [], sys.argv[1]

def watch(event, arguments):
    if event in ("os.chmod", "os.chown"):
        modes.append(event)

os.umask(0)
sys.addaudithook(watch)
def look(*_):
    if os.path.exists(path):
        modes.append(stat.S_IMODE(os.stat(path).st_mode))

sys.setprofile(look)
listen_on_path(Path(path), 5, 0o640)
sys.setprofile(None)
print(len(modes) > 3, *sorted({*modes}))
"""


def test_the_mode_is_there_from_the_beginning(tmp_path):
    """Looked at before and behind each call that the function makes."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path / "gateway.sock")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == f"True {0o640}\n", done.stderr


def test_after_a_failure_files_are_made_as_before(tmp_path):
    before = os.umask(0o027)
    try:
        refusal_of(listen_on_path, tmp_path / "no" / "x.sock", 5)
    finally:
        assert os.umask(before) == 0o027


def test_what_a_link_leads_to_is_never_removed(tmp_path):
    """Only the link of a dead process's socket is; a file behind one refuses."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path = tmp_path / "gateway.sock"
    path.symlink_to(victim)
    assert "exists and is no socket" in refusal_of(listen_on_path, path, 5)
    assert victim.read_text() == "precious"
    listen_on_path(tmp_path / "dead.sock", 5).close()
    path.unlink()
    path.symlink_to(tmp_path / "dead.sock")
    with listen_on_path(path, 5):
        assert not path.is_symlink()
    assert (tmp_path / "dead.sock").exists()


# --- descriptors -------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_an_inherited_socket(family, tmp_path):
    where = ("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "x")
    with socket.socket(family) as own:
        own.bind(where)
        own.listen()
        with take_over(own.fileno()) as sock:
            assert sock.family == family
            assert sock.fileno() != own.fileno()
            assert connects(sock)


def test_descriptors_that_are_none(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        text = refusal_of(take_over, file.fileno())
        assert text.startswith(f"--fd {file.fileno()} is no socket (")
    text = refusal_of(take_over, 9999)
    assert text.startswith("--fd 9999 is no socket (Bad file descriptor): pass the number")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_sockets_that_do_not_listen(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        text = refusal_of(take_over, sock.fileno())
        assert text.startswith(f"--fd {sock.fileno()} is no listening stream socket: call listen")


# --- what is queued ----------------------------------------------------------------------------


def test_what_is_queued_is_accepted():
    with listen_on_port("127.0.0.1", 0, 5) as sock:
        sock.setblocking(False)
        assert accept_queued(sock) == []
        clients = [socket.create_connection(sock.getsockname()) for _ in range(3)]
        accepted = accept_queued(sock)
        assert {one.getpeername() for one in accepted} == {one.getsockname() for one in clients}
        assert accept_queued(sock) == []
        for one in (*clients, *accepted):
            one.close()


# --- the end -----------------------------------------------------------------------------------


@pytest.fixture(params=["127.0.0.1", "::1", "path"])
def listener(request, tmp_path):
    try:
        if request.param == "path":
            sock = listen_on_path(tmp_path / "gateway.sock", 5)
        else:
            sock = listen_on_port(request.param, 0, 5)
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with sock:
        sock.setblocking(False)
        yield sock


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="does nothing elsewhere")
def test_new_connections_are_refused_and_those_there_are_are_not_touched(listener):
    with socket.socket(listener.family) as old, socket.socket(listener.family) as queued:
        old.connect(listener.getsockname())
        (accepted,) = accept_queued(listener)
        queued.connect(listener.getsockname())
        refuse_new(listener)
        with socket.socket(listener.family) as new:
            new.settimeout(0.2)
            with pytest.raises((TimeoutError, ConnectionRefusedError)):
                new.connect(listener.getsockname())
        (last,) = accept_queued(listener)
        for client, own in ((old, accepted), (queued, last)):
            with own:
                client.sendall(b"ping")
                own.settimeout(5)
                assert own.recv(10) == b"ping"
                own.sendall(b"pong")
                client.settimeout(5)
                assert client.recv(10) == b"pong"
