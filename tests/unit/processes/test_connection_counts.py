"""The counts that workers share."""

import os

from gateway.processes.connection_counts import ConnectionCounts


def test_who_is_not_there_has_very_much() -> None:
    counts = ConnectionCounts(2)
    assert counts.least() == 2**62
    counts.note(1, 7)
    assert counts.least() == 7
    counts.clear(1)
    assert counts.least() == 2**62


def test_the_least_busy_one_and_its_notes() -> None:
    counts = ConnectionCounts(3)
    counts.note(0, 5)
    counts.note(2, 4)
    assert counts.activity_of_least() == (2, 1)
    counts.note(2, 4)
    assert counts.activity_of_least() == (2, 2), "it is alive, though its count is the same"
    counts.note(2, 6)
    assert counts.activity_of_least() == (0, 1)


def test_forked_processes_share_them() -> None:
    counts = ConnectionCounts(2)
    child = os.fork()
    if not child:
        counts.note(1, 3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert counts.activity_of_least() == (1, 1)
