"""A place, whose workers are processes that nobody asks anything here."""

import socket

from gateway.supervision.place import Place
from gateway.supervision.worker_process import WorkerProcess


def worker(generation: int, ready_at: float | None = 1.0) -> WorkerProcess:
    made = WorkerProcess(1, socket.socket(), generation=generation, timeout=0.0, now=0.0)
    made.ready_at = ready_at
    return made


def test_who_serves_code_of_another_generation_is_outdated() -> None:
    place = Place(0)
    assert not place.is_outdated(1), "there is nobody"
    place.worker = worker(1)
    assert not place.is_outdated(1)
    assert place.is_outdated(2)
    place.worker.is_worn = True
    assert place.is_outdated(1)
    place.worker = worker(1, None)
    assert not place.is_outdated(2), "it does not serve yet"


def test_since_when_it_serves() -> None:
    place = Place(0)
    assert place.ready_at() is None
    place.worker = worker(1, None)
    assert place.ready_at() is None
    place.worker = worker(1, 7.0)
    assert place.ready_at() == 7.0


def test_who_is_removed_leaves_the_place_to_the_successor() -> None:
    place = Place(0)
    first, second = worker(1), worker(2)
    place.worker, place.successor = first, second
    place.remove(second)
    assert (place.worker, place.successor) == (first, None)
    place.successor = second
    place.remove(first)
    assert (place.worker, place.successor) == (second, None)
