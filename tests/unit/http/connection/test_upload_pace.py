"""How fast a body comes, second by second."""

import pytest

from gateway.http.connection.upload_pace import UploadPace


def test_nothing_is_said_of_what_has_just_begun():
    progress = UploadPace(100.0)
    assert progress.pace is None
    progress.note(100.99, 5000)
    assert progress.pace is None
    progress.note(101.0, 5000)
    assert progress.pace == 5000


@pytest.mark.parametrize("step", [0.02, 0.25, 1.0])
def test_what_was_long_ago_does_not_count(step):
    progress = UploadPace(0.0)
    progress.note(0.5, 1_000_000)
    clock, received = 0.5, 1_000_000.0
    while clock < 10:
        clock += step
        received += 500 * step
        progress.note(clock, received)
    assert progress.pace == pytest.approx(500)


def test_one_that_comes_to_a_stop():
    progress = UploadPace(0.0)
    for second in range(10):
        progress.note(float(second), second * 1000)
    for second in range(10, 16):
        progress.note(float(second), 9000)
    assert progress.pace == 0


def test_a_clock_that_stands():
    progress = UploadPace(0.0)
    progress.note(3.0, 3000)
    for _ in range(100):
        progress.note(3.0, 3000)
    assert progress.pace == 1000


@pytest.mark.parametrize(("step", "pace"), [(1.99, 100), (2.0, 0), (2.01, 0)])
def test_a_note_counts_from_the_step_on(step, pace):
    """What came in it is forgotten behind the next one."""
    progress = UploadPace(0.0, 0)
    progress.note(step, 400)
    progress.note(step + 2.0, 400)
    progress.note(4.0 + 0.001, 400)
    assert progress.pace == pytest.approx(pace, abs=1)
