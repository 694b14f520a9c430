"""Listening sockets, and the words for each reason why there is none."""

import errno
import fcntl
import os
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.errors import UsageError
from gateway.sockets import listening
from gateway.sockets.listening import (
    BoundPath,
    listen_on_path,
    listen_on_port,
    listening_address,
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
        assert listening_address(sock) == f"http://127.0.0.1:{port}"
        assert connects(sock)


@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6(host):
    try:
        sock = listen_on_port(host, 0, 5)
    except UsageError:
        pytest.skip("this machine has no IPv6")
    with sock:
        assert listening_address(sock).startswith(f"http://[{host}]:")
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
        assert listening_address(sock) == f"unix:{path}"
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


def test_abstract_sockets_are_linux_s(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError) as refused:
        listening.listen_on_name("@gw", 8)
    assert str(refused.value) == (
        "--unix @gw: only Linux has abstract sockets; give the path of one"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has abstract sockets")
def test_an_abstract_socket_has_its_name_and_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"@gw-{os.getpid()}"
    with listening.listen_on_name(name, 8) as sock:
        assert listening.listening_address(sock) == f"unix:{name}"
        assert sock.getsockname() == b"\0" + name[1:].encode()
        with pytest.raises(UsageError, match=f"^--unix {name} is in use: "):
            listening.listen_on_name(name, 8)
    assert list(tmp_path.iterdir()) == []


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
from gateway.sockets.listening import listen_on_path

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


def test_a_path_whose_queue_is_full_is_in_use(tmp_path):
    """Who listens there is stopped, say: `connect` would wait for it."""
    path = tmp_path / "gateway.sock"
    with listen_on_path(path, 0), ExitStack() as stack:
        while True:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            try:
                client.connect(str(path))
            except BlockingIOError:
                break
        assert refusal_of(listen_on_path, path, 5).startswith(f"--unix {path} is in use")
        assert path.is_socket()


START = """
import sys, time
from pathlib import Path
from gateway.errors import UsageError
from gateway.sockets.listening import listen_on_path

sys.stdin.readline()
try:
    sock = listen_on_path(Path(sys.argv[1]), 5)
except UsageError as error:
    print("refused", flush=True)
else:
    print("listens", flush=True)
sys.stdin.readline()
"""


def test_of_many_that_find_a_dead_socket_one_replaces_it(tmp_path):
    path = tmp_path / "gateway.sock"
    for _ in range(5):
        path.unlink(missing_ok=True)
        listen_on_path(path, 5).close()
        starting = [
            subprocess.Popen(
                [sys.executable, "-c", START, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        for one in starting:
            one.stdin.write("go\n")
            one.stdin.flush()
        said = [one.stdout.readline().strip() for one in starting]
        assert sorted(said) == ["listens", *["refused"] * 3]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        for one in starting:
            one.communicate("end\n", timeout=30)


def test_a_folder_that_somebody_keeps_locked_is_done_without(tmp_path, monkeypatch):
    monkeypatch.setattr(listening, "_LOCK_PAUSE_SECONDS", 0)
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    path = tmp_path / "gateway.sock"
    with listen_on_path(path, 5):
        BoundPath(path).remove()
        assert not path.exists()
    os.close(held)


# --- the end of a path -------------------------------------------------------------------------


def test_what_was_bound_is_removed_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "gateway.sock"
    with listen_on_path(path, 5):
        bound = BoundPath(Path("gateway.sock"))
        monkeypatch.chdir("/")
        bound.remove()
        assert not path.exists()
        with listen_on_path(path, 5):
            bound.remove()
            assert path.exists()


@pytest.mark.parametrize("what", ["nothing", "file", "folder", "link", "socket", "renamed socket"])
def test_what_stands_there_instead_is_left(tmp_path, what):
    path, other = tmp_path / "gateway.sock", tmp_path / "other.sock"
    with listen_on_path(path, 5), ExitStack() as stack:
        bound = BoundPath(path)
        if what == "renamed socket":
            stack.enter_context(listen_on_path(other, 5))
            other.rename(path)
        elif what == "link":
            path.rename(other)
            path.symlink_to(other)
        else:
            path.unlink()
            if what == "file":
                path.write_text("precious")
            elif what == "folder":
                path.mkdir()
            elif what == "socket":
                stack.enter_context(listen_on_path(path, 5))
        before = sorted(tmp_path.iterdir())
        bound.remove()
        assert sorted(tmp_path.iterdir()) == before


def test_a_child_removes_nothing(tmp_path):
    path = tmp_path / "gateway.sock"
    with listen_on_path(path, 5):
        bound = BoundPath(path)
        pid = os.fork()
        if not pid:
            bound.remove()
            os._exit(0)
        os.waitpid(pid, 0)
        assert path.exists()
        bound.remove()
        assert not path.exists()


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
        accepted, _ = listener.accept()
        queued.connect(listener.getsockname())
        refuse_new(listener)
        with socket.socket(listener.family) as new:
            new.settimeout(0.2)
            with pytest.raises((TimeoutError, ConnectionRefusedError)):
                new.connect(listener.getsockname())
        last, _ = listener.accept()
        for client, own in ((old, accepted), (queued, last)):
            with own:
                client.sendall(b"ping")
                own.settimeout(5)
                assert own.recv(10) == b"ping"
                own.sendall(b"pong")
                client.settimeout(5)
                assert client.recv(10) == b"pong"
