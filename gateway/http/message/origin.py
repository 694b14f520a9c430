"""Where a request comes from, as its connection or a trusted proxy says."""

from typing import NamedTuple, Protocol

Peer = tuple[str, int]
"""Name or address, and port."""


class Origin(NamedTuple):
    """Where a request comes from, and the scheme and host that its client used."""

    client: Peer | None
    """Address, and port or 0; `None`: not known, or a Unix socket."""
    server: Peer | None
    """Name or address and port that the client connected to; `None`: a Unix socket."""
    scheme: str
    """`http` or `https`."""
    host: str
    """Replaces `Host`; empty: `Host` stays."""


class Ends(Protocol):
    """The two ends of a connection; documented in `http.connection.connection`."""

    @property
    def peer(self) -> Peer | None: ...
    @property
    def local(self) -> Peer | None: ...
    @property
    def is_announced(self) -> bool: ...
