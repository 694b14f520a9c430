"""The servers that are compared, as data: each with one process and eight threads for handlers."""

import sys
from dataclasses import dataclass
from pathlib import Path

_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Peer:
    """A server: its command, in which `{port}` and `{target}` are filled in."""

    name: str
    command: tuple[str, ...]

    def argv(self, port: int, target: str) -> list[str]:
        """The command for one run; `target` as `module:attribute`."""
        return [part.format(port=port, target=target) for part in self.command]


PEERS = {
    peer.name: peer
    for peer in (
        Peer("gateway", (f"{_BIN}/gateway", "serve", "{target}", "--port", "{port}")),
        Peer(
            "granian",
            (
                *(f"{_BIN}/granian", "--interface", "wsgi", "--no-ws", "--workers", "1"),
                *("--blocking-threads", "8", "--host", "127.0.0.1", "--port", "{port}"),
                "{target}",
            ),
        ),
        Peer(
            "gunicorn",
            (
                *(f"{_BIN}/gunicorn", "--worker-class", "gthread", "--workers", "1"),
                *("--threads", "8", "--bind", "127.0.0.1:{port}", "{target}"),
            ),
        ),
    )
}
