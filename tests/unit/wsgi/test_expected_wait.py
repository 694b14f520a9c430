"""How many may wait: a queue played through, second by second, with a clock of its own."""

from collections import deque
from itertools import pairwise

import pytest

from gateway.wsgi.expected_wait import NO_LIMIT, ExpectedWait

LOOK = 0.25


class Service:
    """Threads that take `seconds` for each job, and the queue in front of them."""

    def __init__(self, expected, threads, seconds):
        self.expected = expected
        self.seconds = seconds
        self.free_at = [0.0] * threads
        self.queue = deque()
        self.now = 0.0
        self.taken = 0
        self.refused = 0
        self.waits = []

    def come(self, count):
        for _ in range(count):
            if len(self.queue) >= self.expected.limit:
                self.refused += 1
            else:
                self.queue.append(self.now)

    def run(self, seconds, *, rate=0.0, is_looked_at=True, step=0.01):
        """Let time pass, in which `rate` jobs come in a second."""
        due = 0.0
        next_look = self.now
        end = self.now + seconds
        while self.now < end:
            due += rate * step
            self.come(int(due))
            due -= int(due)
            self._serve()
            if is_looked_at and self.now >= next_look:
                self.look()
                next_look += LOOK
            self.now += step

    def _serve(self):
        for number, free_at in enumerate(self.free_at):
            at = free_at
            while self.queue and at <= self.now:
                came = self.queue.popleft()
                begun = max(at, came)
                self.waits.append(self.now - came)
                self.taken += 1
                at = begun + self.seconds
            self.free_at[number] = at

    def look(self):
        oldest = self.queue[0] if self.queue else None
        self.expected.look(self.now, self.taken, len(self.queue), oldest)


def play(threads, seconds, *, longest=30.0, lasting=0.0):
    return Service(ExpectedWait(threads, longest=longest, lasting=lasting), threads, seconds)


def test_nothing_is_refused_before_anything_is_known():
    expected = ExpectedWait(8, longest=30.0, lasting=1.0)
    assert (expected.limit, expected.most, expected.retry_after) == (NO_LIMIT, NO_LIMIT, 1)
    expected.look(0.0, 0, 2000, 0.0)
    assert (expected.limit, expected.rate) == (NO_LIMIT, None)


def test_repr():
    expected = ExpectedWait(8, longest=30.0, lasting=1.0)
    assert repr(expected) == f"<ExpectedWait limit={NO_LIMIT} rate=None lasting=False>"


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("seconds", [0.01, 0.1, 1.0, 4.0])
def test_who_would_wait_longer_than_the_longest_is_refused(threads, seconds):
    service = play(threads, seconds, longest=30.0)
    service.come(200_000)
    service.run(40.0)
    most = 30.0 * threads / seconds
    assert 0.75 * most <= service.expected.limit <= 1.3 * most + threads
    assert service.expected.limit == service.expected.most


def test_the_bound_comes_soon_at_a_cold_start():
    """Eight threads, handlers of a second, two thousand clients at once."""
    service = play(8, 1.0)
    service.come(2000)
    service.run(0.9)
    assert service.expected.limit == NO_LIMIT, "they may only be loading something"
    service.run(1.6)
    assert service.expected.limit < 300


@pytest.mark.parametrize("threads", [1, 8])
def test_threads_that_take_nothing_are_believed_to_be_stuck_after_a_while(threads):
    service = play(threads, 1e9, longest=30.0)
    service.come(2000)
    service.run(2.9)
    assert service.expected.limit == NO_LIMIT
    service.run(0.7)
    assert service.expected.limit <= 10 * threads
    service.run(26.0)
    assert service.expected.limit <= threads + 1
    assert service.expected.retry_after == 60


@pytest.mark.parametrize("threads", [1, 8])
def test_a_first_job_that_loads_something_is_no_measure(threads):
    service = play(threads, 2.0)
    service.come(2000)
    service.run(1.0)
    service.seconds = 0.001
    service.run(3.0)
    assert service.refused == 0
    assert not service.queue


@pytest.mark.parametrize("threads", [1, 8])
def test_a_slow_job_between_quick_ones_is_no_measure(threads):
    service = play(threads, 0.001)
    service.run(5.0, rate=1100 * threads)
    service.free_at = [service.now + 2.0] * threads
    service.run(1.9, rate=500 * threads)
    assert service.expected.limit >= len(service.queue)
    service.run(4.0)
    assert service.refused == 0


def test_handlers_that_become_slow_are_noticed():
    service = play(8, 0.001)
    service.come(60_000)
    service.run(5.0)
    assert service.expected.limit > 100_000
    service.seconds = 1.0
    service.run(6.0)
    assert service.expected.limit < 320


def test_handlers_that_become_quick_are_noticed():
    service = play(8, 1.0)
    service.come(200_000)
    service.run(20.0)
    assert service.expected.limit < 320
    service.seconds = 0.001
    service.run(5.5)
    assert service.expected.limit > 100_000


def test_what_was_is_forgotten_behind_an_idle_moment():
    service = play(8, 1.0)
    service.come(300)
    service.run(20.0)
    assert service.expected.limit < 300
    service.run(60.0)
    assert not service.queue
    assert service.expected.limit == NO_LIMIT
    service.seconds = 0.001
    service.come(2000)
    service.run(1.0)
    assert (service.refused, len(service.queue)) == (0, 0)


def test_time_in_which_the_process_stood_still_tells_nothing():
    """It was stopped, or a handler has held the interpreter lock."""
    service = play(8, 0.01)
    service.come(8000)
    service.run(5.0)
    before = service.expected.limit
    service.now += 3600.0
    service.free_at = [service.now] * 8
    service.look()
    assert service.expected.limit > before / 2
    service.run(1.0)
    assert service.expected.limit > before / 2


def test_a_queue_that_is_worked_off_between_two_looks_tells_nothing():
    service = play(8, 0.001)
    for _ in range(40):
        service.come(1000)
        service.run(0.25)
        assert service.expected.limit == NO_LIMIT


# A lasting overload.


def test_a_burst_is_no_overload():
    service = play(8, 0.1, lasting=1.0)
    service.come(150)
    service.run(3.0)
    assert (service.refused, service.expected.is_lasting) == (0, False)
    assert max(service.waits) > 1.0


def test_an_overload_that_lasts_leaves_a_short_queue():
    service = play(8, 0.01, lasting=1.0)
    service.run(30.0, rate=2400)
    assert service.expected.is_lasting
    assert 700 <= service.expected.limit <= 900
    assert service.refused > 30_000
    served = len(service.waits)
    assert served >= 0.98 * 800 * 30
    settled = service.waits[served // 2 :]
    assert 0.8 < sum(settled) / len(settled) < 1.2
    assert 1 <= service.expected.retry_after <= 2


def test_threads_are_never_short_of_work_under_overload():
    """However slow handlers are: so many may wait that each thread finds its next job."""
    service = play(8, 2.0, lasting=1.0)
    service.run(60.0, rate=12)
    assert service.expected.is_lasting
    assert service.expected.limit == 64
    assert len(service.waits) >= 8 * 29


def test_the_overload_is_over():
    service = play(8, 0.01, lasting=1.0)
    service.run(10.0, rate=2400)
    assert service.expected.is_lasting
    service.run(10.0, rate=400)
    assert not service.expected.is_lasting
    assert service.expected.limit == NO_LIMIT
    refused = service.refused
    service.come(1500)
    service.run(3.0)
    assert service.refused == refused


@pytest.mark.parametrize(
    ("waited", "is_lasting"), [([0.9] * 9, False), ([1.0] * 9, False), ([1.1] * 9, True)]
)
def test_everybody_must_have_waited_longer_for_as_long(waited, is_lasting):
    expected = ExpectedWait(8, longest=0.0, lasting=1.0)
    for number, seconds in enumerate(waited):
        now = 100.0 + number * LOOK
        expected.look(now, number, 10, now - seconds)
    assert expected.is_lasting == is_lasting


def test_one_that_has_waited_less_begins_the_time_anew():
    expected = ExpectedWait(8, longest=0.0, lasting=1.0)
    for number, seconds in enumerate([1.1, 1.1, 1.1, 1.0, 1.1, 1.1, 1.1]):
        now = 100.0 + number * LOOK
        expected.look(now, number, 10, now - seconds)
        assert not expected.is_lasting


def test_it_lasts_until_the_oldest_has_waited_for_half():
    expected = ExpectedWait(8, longest=0.0, lasting=1.0)
    now = 100.0
    for seconds, is_lasting in [(2.0, False), (2.0, True), (0.9, True), (0.5, True), (0.4, False)]:
        now += 1.0
        expected.look(now, 0, 10, now - seconds)
        assert expected.is_lasting == is_lasting


@pytest.mark.parametrize(("longest", "lasting"), [(0.0, 0.0), (30.0, 0.0), (0.0, 1.0)])
def test_bounds_can_be_left_out(longest, lasting):
    service = play(8, 0.1, longest=longest, lasting=lasting)
    service.come(5000)
    service.run(10.0)
    if not (longest or lasting):
        assert service.expected.limit == NO_LIMIT
    elif longest:
        assert service.expected.limit == service.expected.most > 2000
    else:
        assert (service.expected.limit < 100, service.expected.most) == (True, NO_LIMIT)


def test_notes_are_bounded():
    service = play(1, 1.0)
    service.come(10_000)
    service.run(200.0)
    marks = service.expected._marks
    assert len(marks) <= 32 / LOOK + 2
    assert all(one < other for one, other in pairwise(marks))


# What it computes, look by look.


def looked(expected, *looks, queued=100):
    """After looks at (time, jobs taken), at a queue that is never empty since 0.0."""
    for now, taken in looks:
        expected.look(now, taken, queued, 0.0)
    return expected


@pytest.mark.parametrize(
    ("threads", "taken", "rate"), [(1, 3, None), (1, 4, 4.0), (8, 15, None), (8, 16, 16.0)]
)
def test_how_many_jobs_are_a_measure(threads, taken, rate):
    """Two for each thread, and four at least."""
    expected = looked(ExpectedWait(threads, longest=30.0, lasting=0.0), (10.0, 0), (11.0, taken))
    assert expected.rate == rate
    assert expected.most == expected.limit == (NO_LIMIT if rate is None else 30 * rate)


@pytest.mark.parametrize(("seconds", "rate"), [(2.99, None), (3.0, 8 / 3), (3.01, 8 / 3.01)])
def test_stuck_threads_are_a_bound_from_a_tenth_of_the_longest_wait_on(seconds, rate):
    """It is no measure: whoever waits already waits on."""
    expected = ExpectedWait(8, longest=30.0, lasting=0.0)
    for quarter in range(12):
        expected.look(10.0 + quarter / 4, 0, 2000, 0.0)
    expected.look(10.0 + seconds, 0, 2000, 0.0)
    assert expected.rate == (None if rate is None else pytest.approx(rate, abs=1e-3))
    assert expected.most == NO_LIMIT
    assert (expected.limit == NO_LIMIT) is (rate is None)


def test_the_newest_seconds_with_enough_jobs_count():
    """Four seconds, when four jobs for each thread were taken in them."""
    expected = ExpectedWait(1, longest=30.0, lasting=0.0)
    looked(expected, *((10.0 + second, 100 * second) for second in range(5)))
    assert expected.rate == 100.0
    looked(expected, *((15.0 + second, 401 + second) for second in range(4)))
    assert expected.rate == 1.0, "404 of now, 400 of four seconds ago"


@pytest.mark.parametrize(("queued", "seconds"), [(0, 1), (4, 1), (5, 2), (240, 60), (241, 60)])
def test_when_to_try_again(queued, seconds):
    expected = ExpectedWait(1, longest=30.0, lasting=0.0)
    assert looked(expected, (10.0, 0), (11.0, 4), queued=queued).retry_after == seconds


def test_when_to_try_again_is_not_known():
    expected = ExpectedWait(1, longest=30.0, lasting=0.0)
    assert looked(expected, (10.0, 0)).retry_after == 1


def test_times_in_which_the_process_stood_still_add_up():
    """Each is taken out, until the queue has been empty."""
    expected = ExpectedWait(1, longest=30.0, lasting=0.0)
    looks = [(10.0, 0), (11.0, 10), (1011.0, 10), (1012.0, 20), (5012.0, 20), (5013.0, 30)]
    assert looked(expected, *looks).rate == 10.0
    expected.look(5013.5, 40, 100, 5013.25)
    expected.look(5014.5, 50, 100, 5013.25)
    assert expected.rate == 10.0
    assert [at for at, _ in expected._marks] == [5013.5, 5014.5]
