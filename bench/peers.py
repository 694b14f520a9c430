"""The servers that are compared, as data: each with one process and eight threads for handlers.

Access logs are off, connections are kept alive, and limits are raised where a scenario would meet
them. `NAME-recommended` is what the server's own manual says instead.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "bench" / ".peers"
"""The virtual environment of all but the gateway."""
REQUIREMENTS = ROOT / "bench" / "peers.txt"

_PLACES = {
    "bin": str(Path(sys.executable).parent),
    "python": sys.executable,
    "peers": str(FOLDER / "bin"),
}


@dataclass(frozen=True)
class Peer:
    """A server: its command, in which `{port}`, `{target}` and the folders are filled in."""

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    """Lines of `peers.txt`, by their names."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment, filled in like the command."""
    arguments_of: str = ""
    """The peer whose extra arguments of a scenario it takes, where that is another."""
    help_command: tuple[str, ...] = ()
    """Prints its help; only that of the gateway is timed."""

    @property
    def arguments_key(self) -> str:
        """Its name among the extra arguments of a scenario."""
        return self.arguments_of or self.name

    def argv(self, port: int, target: str, more: Sequence[str] = ()) -> list[str]:
        """The command for one run; `target` as `module:attribute`, `more` at its end."""
        return [_filled(part, port, target) for part in self.command] + [*more]

    def variables(self, target: str) -> dict[str, str]:
        """What is added to the environment for one run."""
        filled = {name: _filled(text, 0, target) for name, text in self.environ.items()}
        # Not every server imports from the working directory.
        return {"PYTHONPATH": str(ROOT)} | filled


def _filled(text: str, port: int, target: str) -> str:
    return text.format(port=port, target=target, **_PLACES)


def _peer(name: str, command: str, *needs: str, wrapper: str = "", like: str = "") -> Peer:
    """`wrapper` is one of `bench.wrapped`, where the command has `bench.wrapped:app` as target;
    `like` is a peer that takes the same extra arguments."""
    environ = {"BENCH_TARGET": "{target}", "BENCH_WRAPPER": wrapper} if wrapper else {}
    return Peer(name, tuple(command.split()), needs, environ, like)


_GRANIAN = "{peers}/granian --interface wsgi --no-ws --host 127.0.0.1 --port {port}"
# Its control socket would stay behind in the home directory.
_GUNICORN = "{peers}/gunicorn --bind 127.0.0.1:{port} --no-control-socket"
_UVICORN = (
    "{peers}/uvicorn --host 127.0.0.1 --port {port} --loop uvloop --http httptools --no-access-log"
    " bench.wrapped:app"
)
# Through its HTTP router: --http11-socket would give each thread one connection to keep, and 24 of
# 32 would wait until it is closed; --http-socket keeps none alive.
_UWSGI = (
    "{peers}/uwsgi --http 127.0.0.1:{port} --http-keepalive --listen 1024 --disable-logging"
    " --module bench.wrapped:app"
)

_ALL = (
    replace(
        _peer("gateway", "{bin}/gateway serve {target} --port {port}"),
        help_command=(_PLACES["bin"] + "/gateway", "--help"),
    ),
    _peer("granian", _GRANIAN + " --workers 1 --blocking-threads 8 {target}", "granian"),
    # README, "Workers and threads": one worker a core, and the threads left to granian.
    _peer("granian-recommended", _GRANIAN + " --workers 1 {target}", "granian", like="granian"),
    _peer(
        "gunicorn-gthread",
        _GUNICORN + " --worker-class gthread --workers 1 --threads 8 {target}",
        "gunicorn",
    ),
    # One handler at a time, and a connection for each request: it knows nothing else.
    _peer(
        "gunicorn-sync",
        _GUNICORN + " --worker-class sync --workers 1 {target}",
        "gunicorn",
        like="gunicorn-gthread",
    ),
    # docs.gunicorn.org, Design, "How Many Workers?": (2 x cores) + 1 of the default class.
    _peer(
        "gunicorn-recommended",
        _GUNICORN + " --workers 3 {target}",
        "gunicorn",
        like="gunicorn-gthread",
    ),
    # By default it accepts no more than 100 connections, and select() can watch only 1024.
    _peer(
        "waitress",
        "{peers}/waitress-serve --listen=127.0.0.1:{port} --threads=8"
        " --connection-limit=20000 --asyncore-use-poll {target}",
        "waitress",
    ),
    # The manual recommends its defaults: 4 threads, 100 connections.
    _peer(
        "waitress-recommended",
        "{peers}/waitress-serve --listen=127.0.0.1:{port} {target}",
        "waitress",
    ),
    # Its listen queue is 5 by default, which 32 connections at once overflow.
    _peer(
        "cheroot",
        "{peers}/cheroot --bind 127.0.0.1:{port} --threads 8 --max-threads 8"
        " --request-queue-size 1024 {target}",
        "cheroot",
    ),
    _peer(
        "uvicorn-a2wsgi",
        _UVICORN,
        *("uvicorn", "a2wsgi", "httptools", "uvloop"),
        wrapper="a2wsgi",
    ),
    # WsgiToAsgi runs all handlers in the one "thread-sensitive" thread.
    _peer(
        "uvicorn-asgiref",
        _UVICORN,
        *("uvicorn", "asgiref", "httptools", "uvloop"),
        wrapper="asgiref",
    ),
    # 16 MB is its limit for bodies of WSGI handlers; its command line has no option for it.
    _peer(
        "hypercorn",
        "{peers}/hypercorn --bind 127.0.0.1:{port} --workers 1 --worker-class uvloop"
        " --config python:bench.hypercorn_config wsgi:{target}",
        *("hypercorn", "uvloop"),
    ),
    # One thread that also runs the handlers, as with fastwsgi.
    _peer("bjoern", "{peers}/python -m bench.bjoern_server {target} {port}", "bjoern"),
    _peer(
        "fastwsgi",
        "{peers}/fastwsgi --host 127.0.0.1 --port {port} {target}",
        *("fastwsgi", "setuptools"),
    ),
    _peer("uwsgi", _UWSGI + " --processes 1 --threads 8", "uwsgi", wrapper="length"),
    # uwsgi-docs, "Quickstart for Python/WSGI applications", "Adding concurrency and monitoring".
    _peer(
        "uwsgi-recommended",
        _UWSGI + " --master --processes 4 --threads 2",
        "uwsgi",
        wrapper="length",
    ),
    # What is left when nothing is done for the handler: the event loop and the parser.
    _peer("floor", "{peers}/python -m bench.floor {port}", "uvloop", "httptools"),
)

PEERS = {peer.name: peer for peer in _ALL}
