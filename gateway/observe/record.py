"""What is left of an exchange when it is over: one record each, however it ended."""

from typing import NamedTuple


class ExchangeRecord(NamedTuple):
    """The facts of one exchange, for logs and metrics."""

    request_id: str
    client: str
    """Address of the client; empty on a Unix socket."""
    method: str
    """Empty when the request was not understood, as are target and version."""
    target: str
    version: str
    status: int
    """499 when the client left before it was answered."""
    bytes_sent: int
    """Bytes of the response's body, before chunking."""
    duration: float
    """Seconds from the head's arrival to the end of the answer."""
    user_agent: str
    referer: str
