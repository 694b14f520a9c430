"""What an issuer publishes at a URL: bounded in size and in time, however the answer comes.

Redirects are not followed, and proxies not asked.
"""

import ssl
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Event, Timer
from typing import Final
from urllib.parse import urlsplit

from gateway.triggers.key_set import MAX_BYTES
from gateway.version import __version__

_LONGEST: Final = 10.0
"""Seconds for a whole answer, however it trickles."""


class FetchError(Exception):
    """A URL gave no text; the message says why, without the URL."""


def fetch_text(url: str) -> bytes:
    """The body of the answer to GET, if that is 200; raises `FetchError`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: HTTPConnection
    if parts.scheme == "https":
        connection = HTTPSConnection(
            host, parts.port, timeout=_LONGEST, context=ssl.create_default_context()
        )
    else:
        connection = HTTPConnection(host, parts.port, timeout=_LONGEST)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()  # Has its time limit by itself, TLS included.
        # Not `connection.sock` later: it is None already while an answer is read that closes.
        is_cut = Event()
        timer = Timer(_LONGEST, _cut, (connection.sock, is_cut))
        timer.daemon = True
        timer.start()
        try:
            data = _body(connection, target)
        finally:
            timer.cancel()
        if is_cut.is_set():  # What has no length looks whole.
            raise FetchError("the answer was cut off")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise FetchError(f"there is no answer: {reason}") from None
    finally:
        connection.close()
    return data


def _body(connection: HTTPConnection, target: str) -> bytes:
    headers = {"Accept": "application/json", "User-Agent": f"fc-gateway/{__version__}"}
    connection.request("GET", target, headers=headers)
    with connection.getresponse() as response:
        if response.status != 200:
            raise FetchError(f"the answer has status {response.status}, not 200")
        data = response.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise FetchError("the answer is larger than 1 MB")
        if response.length:
            raise FetchError("the answer was cut off")
    return data


def _cut(sock: socket, is_cut: Event) -> None:
    is_cut.set()  # First: the reader goes on as soon as the socket is shut down.
    shut_down(sock)


def shut_down(sock: socket) -> None:
    """End what a thread sends and reads on `sock`, from another one.

    Not by the method of `SSLSocket`, which takes TLS away: what the thread reads next would be
    plain text, by whoever is in between.
    """
    with suppress(OSError):  # It is closed.
        socket.shutdown(sock, SHUT_RDWR)
