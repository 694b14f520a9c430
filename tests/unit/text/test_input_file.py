"""What a name can lead to, and that nothing is waited for or read without a bound."""

import os
import socket
import threading
from pathlib import Path

import pytest

from gateway.errors import UsageError
from gateway.text import input_file
from gateway.text.input_file import content_of


def refused(path: Path) -> str:
    with pytest.raises(UsageError) as refusal:
        content_of(path, "--auth-keys", most=100)
    return str(refusal.value).replace(str(path), "NAME")


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 500])
def test_a_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(size % 256)) + bytes(max(0, size - 255)))
    content = content_of(path, "--auth-keys", most=100)
    assert content == path.read_bytes()[:101]


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "_MAX_WAIT_SECONDS", 0.1)
    assert refused(tmp_path) == "--auth-keys: cannot read 'NAME': Is a directory; check the path"
    assert "No such file" in refused(tmp_path / "absent")
    assert content_of(Path(os.devnull), "--config") == b""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "symbolic links" in refused(loop)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert "it is a device or a socket, and no file" in refused(tmp_path / "socket")
    for device in ("/dev/zero", "/dev/random", "/dev/tty"):
        if Path(device).exists():
            assert "it is a device or a socket, and no file" in refused(Path(device))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert "it is a pipe, and what it has does not come" in refused(fifo)


@pytest.mark.parametrize("size", [1, 100, 101, 500_000])
def test_a_pipe(size: int) -> None:
    """As a shell has it for `<(command)`: a descriptor, whose writer may have ended already."""
    reading, writing = os.pipe()
    writer = threading.Thread(target=write, args=(writing, b"x" * size), daemon=True)
    writer.start()
    try:
        content = content_of(Path(f"/dev/fd/{reading}"), "--auth-keys", most=100)
        assert content == b"x" * min(size, 101)
    finally:
        os.close(reading)
        writer.join()


def write(descriptor: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        pass
    os.close(descriptor)


def test_a_pipe_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "_MAX_WAIT_SECONDS", 0.1)
    reading, writing = os.pipe()
    os.write(writing, b"some")
    assert "it is a pipe, and what it has does not come" in refused(Path(f"/dev/fd/{reading}"))
    os.close(reading)
    os.close(writing)


def test_a_named_pipe_is_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(b"keys",))
    writer.start()
    assert content_of(fifo, "--auth-keys") == b"keys"
    writer.join()
