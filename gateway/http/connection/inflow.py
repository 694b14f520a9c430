"""The body of a request, straight from the socket to its place.

A connection that expects much more of a body steps back, and this is the transport's protocol in
the meantime: the kernel writes where the handler will read, and no byte is copied twice.
"""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.http.connection.connection import Connection


class Inflow(asyncio.BufferedProtocol):
    """Takes the bytes of one body, and hands everything else to the connection.

    It refers to the connection only: uvloop keeps its methods until the connection ends.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # the kernel's guess
        return self._connection.body_room()

    def buffer_updated(self, nbytes: int) -> None:
        self._connection.body_received(nbytes)

    def eof_received(self) -> bool:
        return self._connection.eof_received()

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
