"""Waiting for jobs: order, who is woken, and that nobody sleeps while there is work."""

import sys
from collections import Counter
from threading import Lock, Thread

import pytest

from gateway.wsgi.job_queue import JobQueue


def locked():
    lock = Lock()
    lock.acquire()
    return lock


@pytest.fixture
def switching_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class Consumer(Thread):
    """Takes items until it gets `None`."""

    def __init__(self, queue):
        super().__init__(daemon=True)
        self.queue = queue
        self.taken = []
        self.lock = locked()

    def run(self):
        while (item := self.queue.get(self.lock)) is not None:
            self.taken.append(item)


def test_items_come_in_their_order():
    queue = JobQueue()
    queue.put([1, 2])
    queue.put([3])
    assert len(queue) == 3
    assert [queue.get(locked()) for _ in range(3)] == [1, 2, 3]
    assert len(queue) == 0


def test_nothing_is_put_nobody_is_lost():
    queue = JobQueue()
    queue.put([])
    queue.put([1])
    assert queue.get(locked()) == 1


def waiting(queue, count):
    """`count` consumers, asleep; in the order in which they went to sleep."""
    consumers = []
    for _ in range(count):
        consumer = Consumer(queue)
        consumer.start()
        consumers.append(consumer)
        while len(queue._waiting) < len(consumers):
            pass
    return consumers


def test_who_has_waited_least_is_woken_first():
    queue = JobQueue()
    consumers = waiting(queue, 3)
    for number in range(5):
        queue.put([number])
        while len(queue._waiting) < 3:
            pass
    assert [consumer.taken for consumer in consumers] == [[], [], [0, 1, 2, 3, 4]]
    queue.put([None] * 3)
    for consumer in consumers:
        consumer.join(10)
        assert not consumer.is_alive()


def test_a_thread_that_is_held_up_has_others_come():
    """Each wakes the next before it works: all run at once, each with an item of its own."""
    queue = JobQueue()
    doors = [locked() for _ in range(4)]
    entered = []

    def consume():
        own = locked()
        number = queue.get(own)
        entered.append(number)
        doors[number].acquire()

    threads = [Thread(target=consume, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(queue._waiting) < 4:
        pass
    queue.put(range(4))
    while len(entered) < 4:
        pass
    assert sorted(entered) == [0, 1, 2, 3]
    for door in doors:
        door.release()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(("producers", "consumers"), [(1, 1), (1, 8), (4, 2), (3, 8)])
def test_every_item_is_taken_once_and_nobody_sleeps_on(switching_often, producers, consumers):
    queue = JobQueue()
    takers = [Consumer(queue) for _ in range(consumers)]

    def produce(first):
        for number in range(first, first + 600, 3):
            queue.put(range(number, number + 3))
            while len(queue) > 20:  # So that they fall asleep in between.
                pass

    makers = [
        Thread(target=produce, args=(index * 600,), daemon=True) for index in range(producers)
    ]
    for thread in takers + makers:
        thread.start()
    for thread in makers:
        thread.join(20)
    queue.put([None] * consumers)
    for thread in takers:
        thread.join(20)
        assert not thread.is_alive(), "a thread sleeps while there is work"
    taken = Counter(number for taker in takers for number in taker.taken)
    assert taken == Counter(range(producers * 600))
    assert len(queue) == 0


def test_one_item_at_a_time_never_waits_for_a_second(switching_often):
    """The next is put only when the one before was taken: a lost wake-up would hang."""
    queue, answers = JobQueue(), JobQueue()

    def consume():
        own = locked()
        while (item := queue.get(own)) is not None:
            answers.put([item])

    threads = [Thread(target=consume, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    own = locked()
    for number in range(3000):
        queue.put([number])
        assert answers.get(own) == number
    queue.put([None] * 4)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


class LateRegister(list):
    """The locks of threads that wait.  The one that comes to look for them finds nobody, and at
    that moment a thread begins to wait."""

    def __init__(self, queue, late):
        super().__init__()
        self._queue = queue
        self._late = late

    def pop(self):
        late, self._late = self._late, None
        if late is None:
            return super().pop()
        try:
            return super().pop()
        finally:
            late()


def test_who_has_woken_nobody_looks_again():
    """The third leg of the proof.  Two producers: while the first looks for a thread in vain, the
    second adds an item and leaves the wake-up to the first, and a thread goes to sleep before."""
    queue = JobQueue()
    lock = locked()

    def meanwhile():
        queue._waiting.append(lock)  # The queue was empty when the thread looked again.
        queue.put(["item"])
        assert lock.locked(), "the second producer leaves the wake-up to the first"

    queue._waiting = LateRegister(queue, meanwhile)
    queue.put([])
    assert not lock.locked(), "a thread sleeps while there is work"
    assert queue.get(lock) == "item"
