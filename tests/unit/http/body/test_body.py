"""Bodies in memory: one without needless copies, all together within their budget."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.body import blocks as blocks_module
from gateway.http.body import body as body_module
from gateway.http.body.blocks import BlockPool
from gateway.http.body.body import BodyBudget, BodyBuffer

# --- one body ----------------------------------------------------------------------------------


def test_an_empty_body():
    body = BodyBuffer(BlockPool())
    assert (body.size, body.length, body.received) == (0, 0, 0)
    assert body.open().read() == body.take_all() == b""


def test_a_single_segment_is_shared():
    segment = b"x" * 1000
    body = BodyBuffer(BlockPool())
    body.append(segment)
    assert body.take_all() is segment
    assert body.open().getvalue() is segment


def test_a_view_of_a_larger_segment_does_not_keep_the_rest():
    body = BodyBuffer(BlockPool())
    body.append(memoryview(b"hello, world")[:5])
    assert body.take_all() == b"hello"


@pytest.mark.parametrize("pieces", [[b"a"], [b"a", b"b"], [b"ab", memoryview(b"cd"), b"e"]])
def test_pieces(pieces):
    whole = b"".join(pieces)
    body = BodyBuffer(BlockPool())
    for piece in pieces:
        body.append(piece)
    assert body.size == body.length == body.received == len(whole)
    assert body.take_all() == whole
    file = body.open()
    assert file.tell() == 0
    assert file.read(1) == whole[:1]
    assert file.read() == whole[1:]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks_module, "BLOCK", 8)
    monkeypatch.setattr(body_module, "_SMALL", 4)


def test_a_large_body_lies_in_blocks(small_blocks):
    pool = BlockPool()
    body = BodyBuffer(pool)
    for piece in (b"ab", b"cd", b"efghijklm"):
        body.append(piece)
    room = body.room(100)
    room[:2] = b"no"
    body.filled(2)
    body.append(memoryview(b"pq"))
    assert body.size == body.length == body.received == 17
    first, second = body.open(), body.open()
    assert first.read() == b"abcdefghijklmnopq"
    assert second.readline(3) == b"abc"
    del body, first
    assert len(pool) == 0
    del second, room
    assert len(pool) == 2


def test_a_body_that_is_taken_is_not_in_memory_twice(small_blocks):
    pool = BlockPool()
    body = BodyBuffer(pool)
    body.append(b"head")
    body.append(b"the rest of it")
    assert body.take_all() == b"headthe rest of it"
    assert len(pool) == 2
    assert body.take_all() is body.take_all()
    assert body.open().read() == b"headthe rest of it"


# --- all bodies --------------------------------------------------------------------------------


class Upload:
    """A body that arrives in pieces, as its connection handles it."""

    def __init__(self, budget, size):
        self.budget = budget
        self.missing = size
        self.taken = 0
        self.may_read = True
        self.is_over = False
        budget.enter(self)

    def read(self, size):
        size = min(size, self.missing)
        self.missing -= size
        self.taken += size
        self.may_read = self.budget.take(self, size, self.resume)
        if not self.missing:
            self.leave()

    def resume(self):
        assert not self.is_over
        assert not self.may_read, "resumed without having been paused"
        self.may_read = True

    def leave(self):
        self.is_over = True
        self.budget.leave(self)

    def give_back(self):
        self.budget.give_back(self.taken)


def test_the_limit_is_inclusive():
    budget = BodyBudget(10)
    first, second = Upload(budget, 100), Upload(budget, 100)
    second.read(10)
    assert second.may_read
    second.read(1)
    assert not second.may_read
    assert budget.has_waiting
    first.read(50)
    assert first.may_read, "the oldest may always go on"


def test_how_much_to_read_at_once():
    budget = BodyBudget(100_000, overdraft=100_000)
    first, second = Upload(budget, 300_000), Upload(budget, 300_000)
    second.read(50_000)
    assert budget.room(second, 40_000) == 40_000
    assert budget.room(second, 60_000) == 50_000
    second.read(40_000)
    assert budget.room(second, 60_000) == 16 * 1024, "a little at least"
    assert budget.room(second, 10) == 10
    assert budget.room(first, 60_000) == 60_000, "the oldest goes on"


def test_bodies_that_come_at_once_make_others_wait():
    budget = BodyBudget(10, overdraft=5)
    budget.hold(8)
    first, second = Upload(budget, 20), Upload(budget, 20)
    second.read(3)
    assert not second.may_read
    first.read(5)
    assert not first.may_read, "a handler holds a complete one"
    budget.give_back(8)
    budget.settle()
    assert first.may_read
    assert second.may_read
    assert budget.used == 8


def test_the_next_oldest_goes_on_when_the_oldest_has_ended():
    budget = BodyBudget(10, overdraft=100)
    uploads = [Upload(budget, 20) for _ in range(3)]
    for upload in reversed(uploads):
        upload.read(11)
    assert [upload.may_read for upload in uploads] == [True, False, False]
    uploads[0].leave()
    assert [upload.may_read for upload in uploads] == [True, True, False]
    assert budget.used == 33, "what has come is still in memory"


def test_those_who_wait_go_on_when_there_is_room():
    budget = BodyBudget(10, overdraft=100)
    first, second, third = (Upload(budget, size) for size in (10, 20, 20))
    first.read(10)
    second.read(1)
    third.read(1)
    assert (second.may_read, third.may_read) == (True, False)
    first.give_back()
    assert not third.may_read, "the loop has not looked yet"
    budget.settle()
    assert third.may_read
    assert not budget.has_waiting


def test_the_oldest_waits_for_a_handler_when_the_overdraft_is_used_up():
    budget = BodyBudget(10, overdraft=5)
    held, oldest = Upload(budget, 10), Upload(budget, 20)
    held.read(10)
    oldest.read(5)
    assert oldest.may_read
    oldest.read(1)
    assert not oldest.may_read
    held.give_back()
    budget.settle()
    assert oldest.may_read


def test_a_body_that_is_given_up_waits_no_more():
    budget = BodyBudget(10)
    first, second = Upload(budget, 100), Upload(budget, 100)
    first.read(11)
    second.read(1)
    second.leave()
    assert not budget.has_waiting
    first.leave()
    first.give_back()
    second.give_back()
    budget.settle()
    assert budget.used == 0


@settings(max_examples=100)
@given(
    st.integers(1, 50),
    st.integers(0, 60),
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
    st.integers(0, 1 << 32),
)
def test_no_schedule_is_a_deadlock_and_all_is_given_back(limit, overdraft, sizes, seed):
    random = Random(seed)
    budget = BodyBudget(limit, overdraft)
    coming = [Upload(budget, size) for size in sizes]
    held = []
    for _ in range(10_000):
        if not coming:
            break
        able = [upload for upload in coming if upload.may_read]
        if not able:
            if held:
                held.pop().give_back()
            budget.settle()
            may_read = any(upload.may_read for upload in coming)
            assert may_read or held, "nobody may read, and no handler will change that: a deadlock"
            continue
        step = random.random()
        if step < 0.1 and held:
            held.pop(random.randrange(len(held))).give_back()
        elif step < 0.15:
            budget.settle()
        elif step < 0.2:
            gone = coming.pop(random.randrange(len(coming)))
            gone.leave()
            gone.give_back()
        else:
            upload = random.choice(able)
            before = budget.used
            upload.read(random.randint(1, 9))
            assert budget.used <= before + 9
            assert budget.used <= limit + overdraft + max(sizes) + 9 * len(sizes)
            if upload.is_over:
                coming.remove(upload)
                held.append(upload)
    assert coming == []
    for upload in held:
        upload.give_back()
    budget.settle()
    assert budget.used == 0
    assert not budget.has_waiting
    assert not budget._open


def test_the_budget_is_exceeded_by_one_body_at_the_most():
    budget = BodyBudget(100, overdraft=100)
    uploads = [Upload(budget, 100) for _ in range(10)]
    for upload in uploads:
        while upload.missing and upload.may_read:
            upload.read(10)
    assert budget.used <= 100 + 100 + 10 * len(uploads)


# --- who is cut off for others -------------------------------------------------------------------


class PacedUpload(Upload):
    """One that brings so many bytes per second lately."""

    def __init__(self, budget, size, pace):
        super().__init__(budget, size)
        self.pace = pace
        self.is_cut = False


def waiting(budget):
    """One more that finds no room."""
    newcomer = PacedUpload(budget, 1000, None)
    newcomer.read(100)
    assert not newcomer.may_read
    return newcomer


def cut(uploads):
    return [upload.is_cut for upload in uploads]


def test_who_would_need_the_longest_for_what_it_holds_is_cut_first():
    budget = BodyBudget(10_000)
    uploads = [PacedUpload(budget, 10**6, pace) for pace in (3.0, 2.0, 1000.0, None)]
    for upload, size in zip(uploads, (4000, 5000, 500, 500), strict=True):
        upload.read(size)
    waiting(budget)
    for now in (0.0, 1.9):
        budget.cut_slowest(now, 30.0)
        assert cut(uploads) == [False] * 4
    budget.cut_slowest(2.0, 30.0)
    assert cut(uploads) == [False, True, False, False]
    budget.cut_slowest(3.9, 30.0)
    assert sum(cut(uploads)) == 1, "one by one"
    budget.cut_slowest(4.0, 30.0)
    assert cut(uploads) == [True, True, False, False]
    budget.cut_slowest(100.0, 30.0)
    assert cut(uploads) == [True, True, False, False]


def test_nobody_is_cut_while_nobody_waits():
    budget = BodyBudget(10_000)
    slow = PacedUpload(budget, 10**6, 0.0)
    slow.read(9000)
    for now in range(100):
        budget.cut_slowest(float(now), 30.0)
    assert not slow.is_cut


@pytest.mark.parametrize(("pace", "is_cut"), [(74.0, True), (75.0, False), (76.0, False)])
def test_who_brings_it_steadily_is_left_alone(pace, is_cut):
    """Four times the time for a body is enough for what it holds: 9000 bytes in 120 seconds."""
    budget = BodyBudget(9_000)
    upload = PacedUpload(budget, 10**6, pace)
    upload.read(9000)
    waiting(budget)
    for now in (0.0, 2.0):
        budget.cut_slowest(now, 30.0)
    assert upload.is_cut == is_cut


def test_it_is_as_soon_as_a_short_time_for_bodies_wants():
    budget = BodyBudget(9_000)
    upload = PacedUpload(budget, 10**6, 0.0)
    upload.read(9000)
    waiting(budget)
    for now in (0.0, 0.25):
        budget.cut_slowest(now, 1.0)
    assert upload.is_cut


def test_a_shortage_that_was_over_begins_anew():
    budget = BodyBudget(9_000)
    upload = PacedUpload(budget, 10**6, 0.0)
    upload.read(9000)
    newcomer = waiting(budget)
    budget.cut_slowest(0.0, 30.0)
    newcomer.leave()
    newcomer.give_back()
    budget.cut_slowest(1.0, 30.0)
    waiting(budget)
    budget.cut_slowest(2.5, 30.0)
    assert not upload.is_cut


def test_one_that_is_streamed_holds_memory_as_well():
    budget = BodyBudget(9_000)
    upload = PacedUpload(budget, 10**6, 0.0)
    upload.read(9000)
    budget.stream(upload)
    waiting(budget)
    for now in (0.0, 2.0):
        budget.cut_slowest(now, 30.0)
    assert upload.is_cut
    budget.leave(upload)
    other = PacedUpload(budget, 10, 0.0)
    for now in (10.0, 20.0):
        budget.cut_slowest(now, 30.0)
    assert not other.is_cut
