"""The peers' commands."""

import pytest

from bench.environment import pinned
from bench.peers import PEERS, ROOT, Peer
from bench.scenarios import SCENARIOS
from bench.wrapped import _WRAPPERS

ALL = pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)


@ALL
def test_the_command_is_filled_in(peer: Peer) -> None:
    argv = peer.argv(4711, "package.module:handler", ["--more"])
    assert argv[-1] == "--more"
    assert not any("{" in part for part in argv)
    assert any("4711" in part for part in argv)


@ALL
def test_the_handler_is_given_by_the_command_or_to_the_wrapper(peer: Peer) -> None:
    given = [
        *peer.argv(4711, "package.module:handler"),
        *peer.variables("package.module:handler").values(),
    ]
    is_given = any("package.module:handler" in text for text in given)
    assert is_given == (peer.name != "floor")


@ALL
def test_what_it_needs_is_pinned(peer: Peer) -> None:
    assert set(peer.needs) <= pinned().keys()
    assert bool(peer.needs) == (peer.name != "gateway")


@ALL
def test_wrappers_exist(peer: Peer) -> None:
    if "bench.wrapped:app" in peer.command:
        assert peer.environ["BENCH_WRAPPER"] in _WRAPPERS


@ALL
def test_the_handlers_can_be_imported(peer: Peer) -> None:
    assert peer.variables("a:b")["PYTHONPATH"] == str(ROOT)


def test_own_variables_go_before_the_usual_ones() -> None:
    peer = Peer("one", (), environ={"PYTHONPATH": "/elsewhere", "TARGET": "<{target}>"})
    assert peer.variables("a:b") == {"PYTHONPATH": "/elsewhere", "TARGET": "<a:b>"}


def test_names_that_others_use_exist() -> None:
    for peer in PEERS.values():
        assert peer.arguments_key in PEERS
    for scenario in SCENARIOS.values():
        assert {*(scenario.peers or ()), *scenario.peer_arguments} <= PEERS.keys()


def test_recommended_variants_differ_from_what_they_vary() -> None:
    commands = [(*peer.argv(1, "a:b"), str(peer.environ)) for peer in PEERS.values()]
    assert len(set(commands)) == len(commands)
