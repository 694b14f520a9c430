"""What is measured, as data: each scenario is a handler, a load and the figure that counts.

How a runner uses one: start each peer on `cores` with `handler` as target and `peer_arguments`
appended to its command, then call `load.measure(server, seconds)` once. Every load warms the server
up by itself, checks the answers and raises `FailedRun` when they are wrong. For a cold start
(`isinstance(scenario.load, ColdStart)`, the same as `scenario.is_cold`) no server is started
beforehand; the runner calls

    scenario.load.measure_cold(start, scenario.module, scenario.cores)

where `start()` gives a context manager such as `bench.process.serving`, which is entered as soon as
the peer has answered. The time of that is the figure, so the wait must look every millisecond or
so. Between runs the runner need not wait: each has its own port and processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.loads.beside import Beside
from bench.loads.closed_loop import ClosedLoop
from bench.loads.cold_start import ColdStart
from bench.loads.crowds import Burning, Deaf, Hostile, Trickling
from bench.loads.idle import Idle
from bench.loads.load import Load
from bench.loads.open_loop import OpenLoop
from bench.loads.overload import Overload
from bench.loads.posts import Posts
from bench.loads.refusals import Refusals
from bench.loads.streams import Streams
from bench.loads.uploads import Uploads
from bench.loads.wrk import Wrk
from bench.process import SERVER_CORE

_MAIN = ("gateway", "granian", "gunicorn-gthread")
"""The peers of scenarios that are too costly for all."""
_FAST = ("gateway", "granian")

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Scenario:
    """One way of use; hashable by name only."""

    name: str
    title: str
    handler: str
    """As `module:attribute`, importable from the root of the repository."""
    load: Load | ColdStart = field(hash=False)
    primary: str = "requests_per_second"
    """The figure that peers are compared by."""
    higher_is_better: bool = True
    seconds: float = 3
    """Length of the measurement in one run, without start and warm-up."""
    rounds: int | None = 3
    """`None` for as many as usual."""
    peers: tuple[str, ...] | None = None
    """Measured unless others are asked for; `None` for all."""
    rounds_by_peer: Mapping[str, int] = field(default_factory=dict, hash=False)
    """In place of `rounds`."""
    peer_arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Appended to the command of a peer; peers that are not named take nothing."""
    cores: str = SERVER_CORE

    @property
    def is_cold(self) -> bool:
        """Whether the load starts servers itself."""
        return isinstance(self.load, ColdStart)

    @property
    def module(self) -> str:
        """The module of the handler."""
        return self.handler.partition(":")[0]


_HELLO = "bench.handlers:hello"
_FLASK = "bench.flask_app:app"
_BESIDE = "bench.handlers:beside"

_ACCESS_LOG = {
    "gateway": ("--access-log", "json"),
    "granian": ("--access-log",),
    "gunicorn-gthread": ("--access-logfile", "-"),
}
_MANY_CONNECTIONS = {
    "gateway": ("--keep-alive-timeout", "600s", "--max-connections", "20000"),
    "granian": ("--backlog", "20000"),
    "gunicorn-gthread": ("--worker-connections", "20000", "--keep-alive", "600"),
}

_SMALL_QUEUE = {"gateway": ("--threads", "8", "--queue", "16", "--queue-timeout", "200ms")}
_EIGHT_THREADS = {"gateway": ("--threads", "8")}

_ALL = (
    Scenario("hello-1", "Raw WSGI, 1 connection", _HELLO, Wrk(1), peers=_MAIN),
    Scenario(
        *("hello-32", "Raw WSGI, 32 connections", _HELLO, Wrk(32)),
        rounds=None,
    ),
    Scenario(
        *("hello-256", "Raw WSGI, 256 connections", _HELLO, Wrk(256)),
        peers=_MAIN,
    ),
    Scenario(
        *("varied-32", "Raw WSGI, every head another, 32 connections", _HELLO),
        Wrk(32, script="varied.lua"),
        peers=_MAIN,
    ),
    Scenario("flask-1", "Flask, 1 connection", _FLASK, Wrk(1)),
    Scenario(
        *("flask-32", "Flask, 32 connections", _FLASK, Wrk(32)),
        rounds=None,
    ),
    Scenario("flask-256", "Flask, 256 connections", _FLASK, Wrk(256), peers=_MAIN),
    Scenario("json-32", "10 KB of JSON, 32 connections", "bench.handlers:as_json", Wrk(32)),
    Scenario(
        *("post-64k", "POST of 64 KiB, 16 connections", "bench.handlers:length"),
        Posts(64 * 1024, 16),
        primary="megabytes_per_second",
        peers=_MAIN,
    ),
    Scenario(
        *("post-1m", "POST of 1 MiB, 8 connections", "bench.handlers:length"),
        Posts(_MIB, 8),
        primary="megabytes_per_second",
        peers=_MAIN,
    ),
    Scenario(
        *("post-30m", "POST of 30 MiB, 8 connections", "bench.handlers:length"),
        Posts(30 * _MIB, 8),
        primary="megabytes_per_second",
        seconds=4,
        peers=_MAIN,
    ),
    Scenario(
        *("stream-100m", "100 MiB streamed to each of 4 clients", "bench.handlers:blocks"),
        Streams(100 * _MIB, 4),
        primary="megabytes_per_second",
        peers=_MAIN,
    ),
    Scenario(
        *("stream-1g", "1 GiB streamed to one client", "bench.handlers:blocks"),
        Streams(1024 * _MIB, 1),
        primary="megabytes_per_second",
        peers=_MAIN,
    ),
    Scenario(
        *("sleep-50ms", "Handler sleeps 50 ms, 64 connections", "bench.handlers:sleep"),
        ClosedLoop(64),
        seconds=3,
        peers=_MAIN,
        rounds=2,
    ),
    Scenario(
        *("burn-beside-quick", "Quick requests beside 4 that burn CPU", _BESIDE),
        Beside(Burning(4), rate=50),
        primary="quick_p99_ms",
        higher_is_better=False,
        seconds=6,
        peers=_MAIN,
    ),
    Scenario(
        *("slow-beside-quick", "Quick requests beside 256 clients that trickle", _BESIDE),
        Beside(Trickling(256), rate=500),
        primary="quick_p99_ms",
        higher_is_better=False,
        seconds=4,
        rounds=2,
        peers=_MAIN,
    ),
    Scenario(
        *("deaf-beside-quick", "Quick requests beside 64 clients that never read", _BESIDE),
        Beside(Deaf(64), rate=500),
        primary="quick_p99_ms",
        higher_is_better=False,
        seconds=4,
        peers=_MAIN,
    ),
    Scenario(
        *(
            "hostile-beside-quick",
            "Quick requests beside 256 hostile clients of seven kinds",
            _BESIDE,
        ),
        Beside(Hostile(256), rate=500),
        primary="quick_p99_ms",
        higher_is_better=False,
        seconds=4,
        peers=_MAIN,
    ),
    Scenario(
        *("refusals", "Heads, paths and bodies over the limits", _HELLO),
        Refusals(32),
        peers=("gateway",),
    ),
    Scenario(
        *("idle-10k", "10,000 idle connections", _HELLO),
        Idle(10_000),
        primary="kb_per_connection",
        higher_is_better=False,
        seconds=1,
        peers=_MAIN,
        peer_arguments=_MANY_CONNECTIONS,
    ),
    Scenario(
        *("cold-start", "From the start to the first answer, Flask", _FLASK, ColdStart()),
        primary="start_ms",
        higher_is_better=False,
        seconds=0,
        peers=_MAIN,
    ),
    Scenario(
        *("access-log", "Raw WSGI with access log, 32 connections", _HELLO, Wrk(32)),
        peers=_MAIN,
        peer_arguments=_ACCESS_LOG,
    ),
    Scenario(
        *("open-loop", "Raw WSGI at 5,000 requests/s", _HELLO, OpenLoop(5_000)),
        primary="p99_ms",
        higher_is_better=False,
        seconds=3,
        peers=_FAST,
    ),
    Scenario(
        *("open-loop-20k", "Raw WSGI at 20,000 requests/s", _HELLO, OpenLoop(20_000)),
        primary="p99_ms",
        higher_is_better=False,
        peers=_FAST,
    ),
    Scenario(
        *("hello-2-workers", "Raw WSGI, two workers on two cores, 32 connections", _HELLO),
        Wrk(32),
        peers=("gateway",),
        peer_arguments={"gateway": ("--workers", "2")},
        cores="0,1",
    ),
    Scenario(
        *("overload-sleep", "Three times the peak, handler sleeps 10 ms", "bench.handlers:doze"),
        Overload(),
        seconds=4,
        peers=("gateway",),
        peer_arguments=_EIGHT_THREADS,
    ),
    Scenario(
        *("overload-compute", "Three times the peak, handler computes", "bench.handlers:compute"),
        Overload(),
        seconds=4,
        peers=("gateway",),
        peer_arguments=_EIGHT_THREADS,
    ),
    Scenario(
        *("overload-short-queue", "Three times the peak, a queue of 16", "bench.handlers:doze"),
        Overload(),
        seconds=4,
        peers=("gateway",),
        peer_arguments=_SMALL_QUEUE,
    ),
    Scenario(
        *("overload-new", "Three times the peak, each time connecting", "bench.handlers:doze"),
        Overload(is_new=True),
        seconds=4,
        peers=("gateway",),
        peer_arguments=_SMALL_QUEUE,
    ),
    Scenario(
        *("uploads-100", "100 uploads of 30 MiB at once", "bench.handlers:length"),
        Uploads(100, 30 * _MIB),
        primary="peak_rss_mb",
        higher_is_better=False,
        seconds=10,
        rounds=1,
        peers=_MAIN,
    ),
)

SCENARIOS = {scenario.name: scenario for scenario in _ALL}
"""By name."""
