"""Where a request comes from, as its connection or a trusted proxy says."""

from typing import NamedTuple, Protocol

Peer = tuple[str, int]
"""Name or address, and port."""


class Origin(NamedTuple):
    """Where a request comes from, and what its client asked for it."""

    client: Peer | None
    """Address, and port or 0; `None`: not known, or a Unix socket."""
    server: Peer | None
    """Name or address, and port, that the client connected to; `None`: a Unix socket."""
    scheme: str
    """`http` or `https`."""
    host: str
    """What takes the place of `Host`; empty: nothing does."""


class Ends(Protocol):
    """What is looked at of a connection; `http.connection` documents it."""

    @property
    def peer(self) -> Peer | None: ...
    @property
    def local(self) -> Peer | None: ...
    @property
    def is_announced(self) -> bool: ...
