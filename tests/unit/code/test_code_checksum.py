"""The checksum of the code: its arithmetic, what it is taken over, where it ends."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.code import code_checksum as module
from gateway.code.code_checksum import code_checksum, crc64


def bitwise(data):
    """CRC-64/XZ as its definition has it, a bit at a time."""
    register = 0xFFFF_FFFF_FFFF_FFFF
    for byte in data:
        for bit in range(8):
            out = register ^ byte >> bit
            register = register >> 1 ^ (0xC96C5795D7870F42 if out & 1 else 0)
    return register ^ 0xFFFF_FFFF_FFFF_FFFF


@pytest.mark.parametrize(("data", "checksum"), [(b"", 0), (b"123456789", 0x995DC9BBDF1939FA)])
def test_known_checksums(data, checksum):
    assert crc64(data) == checksum


@given(st.binary(max_size=200))
def test_the_table_does_as_the_definition(data):
    assert crc64(data) == bitwise(data)


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


FILES = {"b.py": b"b", "a.py": b"a", "package/c.py": b"c", "package.py": b"p", "data.bin": b"\0"}


def test_it_is_taken_over_the_list_that_sha256sum_prints(tmp_path):
    write(tmp_path, FILES)
    listed = "".join(
        f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n"
        for name in ("a.py", "b.py", "data.bin", "package.py", "package/c.py")
    )
    assert code_checksum(tmp_path, None) == str(crc64(listed.encode()))


@pytest.mark.parametrize(
    "change",
    [{"a.py": b"A"}, {"new.py": b""}, {"package/c.py": b""}, {".env": b"x"}],
)
def test_what_changes_it(tmp_path, change):
    write(tmp_path, FILES)
    before = code_checksum(tmp_path, None)
    write(tmp_path, change)
    assert code_checksum(tmp_path, None) != before


def test_what_does_not(tmp_path):
    write(tmp_path, FILES)
    before = code_checksum(tmp_path, None)
    write(tmp_path, {"__pycache__/a.pyc": b"x", ".git/HEAD": b"x", "package/.cache/x": b"x"})
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "empty").mkdir()
    assert code_checksum(tmp_path, None) == before


def test_the_order_in_which_the_system_lists_does_not_matter(tmp_path, monkeypatch):
    write(tmp_path, FILES)
    before = code_checksum(tmp_path, None)
    walk = os.walk

    def backwards(folder):
        for parent, folders, files in walk(folder):
            yield parent, folders, files[::-1]

    monkeypatch.setattr(os, "walk", backwards)
    assert code_checksum(tmp_path, None) == before


@pytest.mark.parametrize(("limit", "is_whole"), [(7, True), (6, False)])
def test_too_many_files(tmp_path, monkeypatch, limit, is_whole):
    """Five files and two folders."""
    write(tmp_path, FILES)
    alone = checksum_of_one(tmp_path / "a.py")
    monkeypatch.setattr(module, "MAX_FILES", limit)
    assert (code_checksum(tmp_path, str(tmp_path / "a.py")) != alone) is is_whole


@pytest.mark.parametrize(("limit", "is_whole"), [(6, True), (5, True), (4, False)])
def test_too_many_bytes(tmp_path, monkeypatch, limit, is_whole):
    write(tmp_path, FILES)
    alone = checksum_of_one(tmp_path / "a.py")
    monkeypatch.setattr(module, "MAX_BYTES", limit)
    assert (code_checksum(tmp_path, str(tmp_path / "a.py")) != alone) is is_whole


def checksum_of_one(path):
    line = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
    return str(crc64(line.encode()))


def test_nothing_that_could_be_read(tmp_path, monkeypatch):
    assert code_checksum(tmp_path / "missing", None) == "0"
    monkeypatch.setattr(module, "MAX_FILES", -1)
    assert code_checksum(tmp_path, None) == "0"
    assert code_checksum(tmp_path, str(tmp_path / "missing.py")) == "0"


def test_names_that_are_no_text(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.py")).write_bytes(b"x")
    assert code_checksum(tmp_path, None) != "0"
