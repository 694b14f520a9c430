"""What `run` measures if no scenarios are named: everything, or what ten minutes have room for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.scenarios import SCENARIOS, Scenario

SHORT = "short"
FULL = "full"

_FAST = {"gateway": 3, "granian": 3}
_MAIN = {"gateway": 3, "granian": 3, "gunicorn-gthread": 2}
_OTHERS = ("waitress", "uvicorn-a2wsgi", "bjoern", "fastwsgi", "uwsgi")


@dataclass(frozen=True)
class _Share:
    """Of a scenario in the short suite."""

    rounds: Mapping[str, int]
    """By peer; most for those that are close to each other."""
    seconds: float = 2


_SHORT = {
    "hello-1": _Share(_FAST),
    "hello-32": _Share(
        {
            **dict.fromkeys(("gateway", "granian"), 7),
            **dict.fromkeys(("gunicorn-gthread", "uvicorn-asgiref"), 3),
            **dict.fromkeys(_OTHERS, 3),
            "floor": 2,
        }
    ),
    "hello-256": _Share(_MAIN),
    "varied-32": _Share(_FAST),
    "flask-32": _Share(
        {"gateway": 5, "granian": 5, "gunicorn-gthread": 3, **dict.fromkeys(_OTHERS, 2)}
    ),
    "flask-256": _Share({"gateway": 2, "granian": 2}),
    "hello-2-workers": _Share({"gateway": 2}),
    "post-64k": _Share(_MAIN),
    "post-1m": _Share(_MAIN),
    "post-30m": _Share({"gateway": 2, "granian": 2, "gunicorn-gthread": 1}),
    "stream-1g": _Share({"gateway": 2, "granian": 2}, 1),
    # Shorter, the requests under way at both ends would be a larger part than what is allowed.
    "sleep-50ms": _Share({"gateway": 2, "granian": 1}, 3),
    "burn-beside-quick": _Share(_FAST, 3),
    "slow-beside-quick": _Share({"gateway": 3, "granian": 1, "gunicorn-gthread": 1}),
    "deaf-beside-quick": _Share(_FAST),
    "refusals": _Share({"gateway": 3}),
    "idle-10k": _Share({"gateway": 2, "granian": 1}, 1),
    "cold-start": _Share({"gateway": 5, "granian": 5, "gunicorn-gthread": 3}, 0),
    "access-log": _Share(_FAST),
    "open-loop": _Share({"gateway": 2, "granian": 2}, 3),
    "overload-sleep": _Share({"gateway": 1}, 3),
    "overload-compute": _Share({"gateway": 1}, 3),
    "uploads-100": _Share({"gateway": 1, "granian": 1}, 10),
}


def _short(name: str, share: _Share) -> Scenario:
    return replace(
        SCENARIOS[name],
        peers=tuple(share.rounds),
        rounds_by_peer=share.rounds,
        seconds=share.seconds,
    )


SUITES: Mapping[str, Mapping[str, Scenario]] = {
    SHORT: {name: _short(name, share) for name, share in _SHORT.items()},
    FULL: SCENARIOS,
}
"""Scenarios by name; those of the short suite have fewer peers and less time."""
