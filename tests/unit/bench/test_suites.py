"""What the suites measure."""

import pytest

from bench.criteria import OURS, Figure
from bench.peers import PEERS
from bench.scenarios import SCENARIOS
from bench.series import expected_seconds, plan
from bench.suites import FULL, SHORT, SUITES
from bench.targets import TARGETS

JUDGED = {
    side
    for target in TARGETS
    for criterion in target.criteria
    for side in (getattr(criterion, "ours", None), getattr(criterion, "reference", None))
    if isinstance(side, Figure)
}


@pytest.mark.parametrize("suite", [SHORT, FULL])
def test_every_target_can_be_judged(suite: str) -> None:
    for side in JUDGED:
        peers = SUITES[suite][side.scenario].peers
        assert side.peer in (PEERS if peers is None else peers), side


def test_the_full_suite_has_every_scenario() -> None:
    assert SUITES[FULL] == SCENARIOS


@pytest.mark.parametrize("scenario", SUITES[SHORT].values(), ids=lambda one: one.name)
def test_the_short_suite_has_the_gateway_longest(scenario) -> None:
    rounds = scenario.rounds_by_peer
    assert set(rounds) <= PEERS.keys()
    assert rounds[OURS] == max(rounds.values())


def test_the_short_suite_takes_less_than_ten_minutes() -> None:
    peers_of = {one: [PEERS[name] for name in one.peers or ()] for one in SUITES[SHORT].values()}
    # A minute for the overhead, which is measured as well.
    assert expected_seconds(plan(peers_of, None, 0)) < 540
