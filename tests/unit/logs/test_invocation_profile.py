"""Samples of invocations: which, put together how, reported how."""

import json
from types import SimpleNamespace

import pytest

from gateway.logs import invocation_profile as module
from gateway.logs.invocation_profile import STAGES, InvocationProfile, ProfiledConnection

SAMPLE, OTHER = "id-0", "id-1"


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "monotonic", lambda: now.seconds)
    monkeypatch.setattr(module, "_price", lambda: 1.25)
    return now


def exchange(request_id, read_at=0.0, parsed_at=0.0, complete_at=0.0):
    connection = ProfiledConnection.__new__(ProfiledConnection)
    connection.read_at, connection.parsed_at = read_at, parsed_at
    connection.complete_at = complete_at
    return SimpleNamespace(request_id=request_id, connection=connection)


def environ(request_id):
    return {"fc.context": SimpleNamespace(request_id=request_id)}


def run_one(profile, clock, request_id=SAMPLE):
    """One invocation of which stage n takes n + 1 seconds."""

    def handler(environ, start_response):
        clock.seconds = 21.0
        return ["result"]

    clock.seconds = 15.0
    assert profile.wrap(handler)(environ(request_id), None) == ["result"]
    clock.seconds = 28.0
    profile.add(exchange(request_id, 0.0, 1.0, 3.0))


def test_the_stages_of_a_sample(clock):
    profile = InvocationProfile(lambda: (6.0, 10.0))
    run_one(profile, clock)
    facts = json.loads(profile.report("json"))
    assert (facts["sampled"], facts["price_us"]) == (1, 1.25)
    assert [stage["name"] for stage in facts["stages"]] == list(STAGES)
    for number, stage in enumerate(facts["stages"], 1):
        assert stage["microseconds"] == dict.fromkeys(("p50", "mean", "p99"), number * 1e6)


def test_one_request_in_sixteen_is_a_sample(clock):
    profile = InvocationProfile(lambda: (6.0, 10.0))
    for digit in "0123456789abcdef":
        run_one(profile, clock, f"id-{digit}")
    assert json.loads(profile.report("json"))["sampled"] == 1


def test_a_handler_that_fails_is_no_sample(clock):
    profile = InvocationProfile(lambda: (0.0, 0.0))

    def handler(environ, start_response):
        raise KeyError("its own")

    with pytest.raises(KeyError):
        profile.wrap(handler)(environ(SAMPLE), None)
    profile.add(exchange(SAMPLE))
    assert json.loads(profile.report("json"))["sampled"] == 0


def test_what_never_came_to_a_handler_is_no_sample(clock):
    profile = InvocationProfile(lambda: (0.0, 0.0))
    profile.add(exchange(SAMPLE))
    profile.add(SimpleNamespace(request_id=SAMPLE, connection=None))
    assert json.loads(profile.report("json")) == {"sampled": 0, "price_us": 1.25, "stages": []}


def test_the_table(clock):
    profile = InvocationProfile(lambda: (6.0, 10.0))
    run_one(profile, clock)
    head, *rows, last = profile.report("table").splitlines()
    assert head.split() == ["stage", "p50", "µs", "mean", "µs", "p99", "µs"]
    assert rows[0] == "read to head parsed              1000000.0   1000000.0   1000000.0"
    assert len(rows) == len(STAGES)
    assert last == "1 requests sampled, one in sixteen; a sample costs 1.2 µs"


def test_memory_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(module, "_MAX_OPEN", 4)
    profile = InvocationProfile(lambda: (0.0, 0.0))
    timed = profile.wrap(lambda environ, start_response: [])
    for number in range(20):
        timed(environ(f"{number}-0"), None)
        assert len(profile._runs) <= 4


def test_the_price_is_measured():
    assert 0 < module._price() < 1000
