"""Measures the stages of invocations by samples.

Theory of operation.  A request does not pass this code unless the profile is switched on.  Then
another type of connection notes when bytes arrived and were parsed, the handler is wrapped, and the
observer of exchanges combines the notes.  One request in sixteen is a sample, chosen by the last
digit of its id, which comes from a counter.
"""

import json
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, quantiles
from threading import Lock
from time import monotonic
from typing import Any, Final, Literal, NamedTuple

from gateway.fc import names
from gateway.http.connection.connection import Connection
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState
from gateway.http.message.head import RequestHead

STAGES: Final = (
    "read to head parsed",
    "head parsed to body complete",
    "body complete to queued",
    "queued to picked up",
    "picked up to handler called",
    "handler called to returned",
    "handler returned to sent",
)

_SAMPLED: Final = "0"
"""The last digit of the ids of sampled requests."""

_MAX_SAMPLES: Final = 65_536
_MAX_OPEN: Final = 4_096
_PRICE_ROUNDS: Final = 2_000

Handler = Callable[..., Any]


class _Run(NamedTuple):
    """When a job was queued and picked up, and its handler called and returned."""

    queued_at: float
    picked_up_at: float
    called_at: float
    returned_at: float


class ProfiledConnection(Connection):
    """A connection that notes when its current request was read, parsed and complete."""

    __slots__ = ("complete_at", "parsed_at", "read_at")

    def __init__(self, site: SharedState) -> None:
        super().__init__(site)
        self.read_at = self.parsed_at = self.complete_at = 0.0

    def data_received(self, data: bytes) -> None:
        if not self._parser.is_open and self._receiver is None:
            self.read_at = monotonic()
        super().data_received(data)

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        self.parsed_at = self.complete_at = monotonic()
        super()._begin(head, rest)

    def _dispatch(self, exchange: Exchange) -> None:
        self.complete_at = monotonic()
        super()._dispatch(exchange)


class InvocationProfile:
    """Collects the samples of a worker.

    `job_times` returns when the job of the calling pool thread was queued and picked up, as
    `time.monotonic()`.
    """

    def __init__(self, job_times: Callable[[], tuple[float, float]]) -> None:
        self._job_times = job_times
        self._runs: dict[str, _Run] = {}
        self._samples: deque[tuple[float, ...]] = deque(maxlen=_MAX_SAMPLES)
        self._sampled = 0
        self._lock = Lock()

    def connection(self, site: SharedState) -> Connection:
        """A connection whose requests can be sampled."""
        return ProfiledConnection(site)

    def wrap(self, handler: Handler) -> Handler:
        """Wrap the handler to measure it."""

        def timed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            request_id: str = environ[names.ENVIRON_CONTEXT].request_id
            if request_id[-1] != _SAMPLED:
                return handler(environ, start_response)
            called_at = monotonic()
            result = handler(environ, start_response)
            returned_at = monotonic()
            with self._lock:
                if len(self._runs) >= _MAX_OPEN:
                    self._runs.clear()  # Left over from ended requests.
                self._runs[request_id] = _Run(*self._job_times(), called_at, returned_at)
            return result

        return timed

    def add(self, exchange: Exchange) -> None:
        """Complete a sample when an exchange is over.  Safe in any thread."""
        if exchange.request_id[-1] != _SAMPLED:
            return
        sent_at = monotonic()
        connection = exchange.connection
        with self._lock:
            run = self._runs.pop(exchange.request_id, None)
            if run is None or not isinstance(connection, ProfiledConnection):
                return
            times = (
                connection.read_at,
                connection.parsed_at,
                connection.complete_at,
                *run,
                sent_at,
            )
            # The first bytes of a pipelined request may arrive before the previous response.
            stages = [max(0.0, later - earlier) for earlier, later in pairwise(times)]
            self._samples.append(tuple(stages))
            self._sampled += 1

    def report(self, form: Literal["table", "json"]) -> str:
        """The results in microseconds, with a line end."""
        with self._lock:
            samples = list(self._samples)
        stages = [_stage(name, [sample[i] for sample in samples]) for i, name in enumerate(STAGES)]
        facts: dict[str, Any] = {
            "sampled": self._sampled,
            "price_us": round(_price(), 2),
            "stages": stages if samples else [],
        }
        return json.dumps(facts) + "\n" if form == "json" else _table(facts)


def _stage(name: str, seconds: list[float]) -> dict[str, Any]:
    if not seconds:
        return {}
    # `quantiles` needs two values; doubling them does not change the result.
    cuts = quantiles(seconds * 2, n=100, method="inclusive")
    figures = {"p50": cuts[49], "mean": fmean(seconds), "p99": cuts[98]}
    return {
        "name": name,
        "microseconds": {key: round(value * 1e6, 2) for key, value in figures.items()},
    }


def _table(facts: dict[str, Any]) -> str:
    lines = [f"{'stage':30}{'p50 µs':>12}{'mean µs':>12}{'p99 µs':>12}"]
    for stage in facts["stages"]:
        figures = stage["microseconds"]
        lines.append(
            f"{stage['name']:30}{figures['p50']:12.1f}{figures['mean']:12.1f}{figures['p99']:12.1f}"
        )
    lines.append(
        f"{facts['sampled']} requests sampled, one in sixteen; "
        f"a sample costs {facts['price_us']:.1f} µs"
    )
    return "\n".join(lines) + "\n"


def _price() -> float:
    """The measured cost of a sample in microseconds."""
    profile = InvocationProfile(lambda: (0.0, 0.0))
    exchange = _Unserved()

    class Context:
        request_id = exchange.request_id

    environ = {names.ENVIRON_CONTEXT: Context}
    timed = profile.wrap(_do_nothing)
    started = monotonic()
    for _ in range(_PRICE_ROUNDS):
        timed(environ, _do_nothing)
        profile.add(exchange)  # type: ignore[arg-type]  # It has what is looked at.
    return (monotonic() - started) / _PRICE_ROUNDS * 1e6


class _Unserved:
    """An exchange without a request."""

    request_id = _SAMPLED

    def __init__(self) -> None:
        self.connection = ProfiledConnection.__new__(ProfiledConnection)
        self.connection.read_at = self.connection.parsed_at = self.connection.complete_at = 0.0


def _do_nothing(*_: object) -> None:
    pass
