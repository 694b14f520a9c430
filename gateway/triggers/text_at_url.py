"""Fetches an issuer's text from a URL, with bounds on size and total time.

It follows no redirects and uses no proxies.
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

_MAX_SECONDS: Final = 10.0
"""The limit for a whole response, however slowly it arrives."""


class FetchError(Exception):
    """A fetch failed; the message says why, without the URL."""


def fetch_text(url: str) -> bytes:
    """The body of a 200 response to GET.

    Raises:
        FetchError: there is no such response.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: HTTPConnection
    if parts.scheme == "https":
        connection = HTTPSConnection(
            host, parts.port, timeout=_MAX_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = HTTPConnection(host, parts.port, timeout=_MAX_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()  # It has its own time limit, TLS included.
        # Kept now: `connection.sock` is None while a response is read that closes the connection.
        is_cut = Event()
        timer = Timer(_MAX_SECONDS, _cut, (connection.sock, is_cut))
        timer.daemon = True
        timer.start()
        try:
            data = _body(connection, target)
        finally:
            timer.cancel()
        if is_cut.is_set():  # A response without a length looks complete.
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
    is_cut.set()  # First, since the reader goes on as soon as the socket is shut down.
    shut_down(sock)


def shut_down(sock: socket) -> None:
    """Shut down `sock` while another thread uses it.

    This avoids the method of `SSLSocket`, which removes TLS: the other thread would then read plain
    text, which an attacker on the way could inject.
    """
    with suppress(OSError):  # It is closed already.
        socket.shutdown(sock, SHUT_RDWR)
