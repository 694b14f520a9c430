"""Requests over the limits, as fast as they are refused."""

import socket
from dataclasses import dataclass

from bench.loads.answer import Answer
from bench.loads.client import request
from bench.loads.load import Measured
from bench.loads.wrk import Wrk
from bench.process import FailedRun, Server

_KINDS = {
    "a head of 9 KB": b"GET / HTTP/1.1\r\nHost: bench\r\nX-Filler: " + b"h" * 9216 + b"\r\n\r\n",
    "a path of 5 KB": request("GET", "/" + "p" * 5120),
    "a body of 33 MB": request("POST", "/", body_bytes=33 * 1024 * 1024),
}


@dataclass(frozen=True)
class Refusals:
    """`connections` that send too long heads, too long paths and too large bodies in turn.

    A server that closes the connection with its refusal makes the client open another.
    """

    connections: int

    def measure(self, server: Server, seconds: float) -> Measured:
        """Refusals a second and their latency.

        Raises:
            FailedRun: one of the kinds was not refused, or connections failed.
        """
        for kind, head in _KINDS.items():
            status = _status(server.port, head)
            if not 400 <= status < 500:
                raise FailedRun(f"{kind} was answered {status}")
        load = Wrk(self.connections, script="refused.lua", allowed_error_share=1.0)
        measured = load.measure(server, seconds)
        if unanswered := measured.figures.get("unanswered_share"):
            raise FailedRun(f"{unanswered:.2%} of the requests were cut off without an answer")
        # For wrk each refusal is an error; the script ends it at any other answer.
        measured.figures["error_share"] = 0.0
        return measured


def _status(port: int, head: bytes) -> int:
    """Of the whole answer to a request of which no body is sent."""
    answer = Answer()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(head)
        while not answer.is_complete and (data := client.recv(65536)):
            answer.feed(data)
    return answer.status
