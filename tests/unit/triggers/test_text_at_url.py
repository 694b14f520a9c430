"""What a URL has, and what is not taken for it: a real server, for what is said on the wire."""

import socket
import ssl
import time
from contextlib import suppress

import pytest
from unit.triggers.issuer import answered, key_set, public_jwk, server

from gateway.triggers import text_at_url
from gateway.triggers.text_at_url import FetchError, fetch_text, shut_down

ONE = key_set(public_jwk("P-256", kid="one"))


def test_a_text_is_fetched():
    with server(answered(ONE)) as (url, asked):
        assert fetch_text(url) == ONE
    assert asked[0].startswith(b"GET /keys?a=b HTTP/1.1\r\n")
    assert b"Accept: application/json\r\n" in asked[0]


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ((answered(b"", b"404 Not Found"),), "status 404"),
        ((b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",), "302"),
        ((answered(b"{}", length=9),), "no answer|cut off"),
        ((b"nonsense\r\n\r\n",), "no answer"),
        ((), "no answer"),
        ((answered(b"x" * (1024 * 1024 + 1)),), "larger than 1 MB"),
        ((answered(b"x" * (1024 * 1024 + 1), length=5_000_000),), "larger than 1 MB"),
        ((b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (1024 * 1024 + 1)), "larger than 1 MB"),
    ],
)  # fmt: skip
def test_what_is_no_text(pieces, says):
    with server(*pieces) as (url, _), pytest.raises(FetchError, match=says) as caught:
        fetch_text(url)
    assert "127.0.0.1" not in str(caught.value)


def test_nobody_listens():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(FetchError, match="refused"):
            fetch_text(f"http://127.0.0.1:{sock.getsockname()[1]}/")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + ONE,
    ],
)
def test_an_answer_that_never_ends_is_cut(monkeypatch, head):
    """Also where `http.client` gives its socket away, and where it could be taken for whole."""
    monkeypatch.setattr(text_at_url, "_MAX_SECONDS", 0.2)
    begun = time.monotonic()
    with server(head, trickles=b" ") as (url, _), pytest.raises(FetchError):
        fetch_text(url)
    assert time.monotonic() - begun < 5


def test_a_cut_does_not_take_tls_away():
    """Whoever is in between could else be the next that the thread reads from."""
    ours, theirs = socket.socketpair()
    with (
        theirs,
        ssl.create_default_context().wrap_socket(
            ours, server_hostname="issuer.test", do_handshake_on_connect=False
        ) as tls,
    ):
        theirs.sendall(ONE)
        shut_down(tls)
        with suppress(OSError):  # By version: an end, or that no handshake can be sent any more.
            assert tls.recv(9) == b""
    shut_down(tls)  # What is closed is shut down.
