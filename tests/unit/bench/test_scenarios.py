"""The table of scenarios."""

import importlib

import pytest

from bench.loads.cold_start import ColdStart
from bench.loads.wrk import Wrk
from bench.peers import PEERS, ROOT
from bench.scenarios import SCENARIOS, Scenario

each = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)


@each
def test_its_handler_is_there(scenario: Scenario) -> None:
    module, _, attribute = scenario.handler.partition(":")
    assert module == scenario.module
    assert callable(getattr(importlib.import_module(module), attribute))


@each
def test_its_peers_are_there(scenario: Scenario) -> None:
    assert set(scenario.peers or ()) <= PEERS.keys()
    assert set(scenario.peer_arguments) <= PEERS.keys()


@each
def test_its_script_is_there(scenario: Scenario) -> None:
    if isinstance(scenario.load, Wrk) and scenario.load.script:
        assert (ROOT / "bench" / "lua" / scenario.load.script).is_file()


def test_only_a_cold_start_is_cold() -> None:
    cold = [one for one in SCENARIOS.values() if one.is_cold]
    assert [(one.name, type(one.load)) for one in cold] == [("cold-start", ColdStart)]


def test_rates_and_volumes_are_better_when_higher() -> None:
    higher = {one.primary for one in SCENARIOS.values() if one.higher_is_better}
    lower = {one.primary for one in SCENARIOS.values() if not one.higher_is_better}
    assert higher == {"requests_per_second", "megabytes_per_second"}
    assert not lower & higher
