"""WorkerSlots, whose workers are processes that nobody asks anything here."""

import socket

from gateway.processes.worker_process import Times, WorkerProcess
from gateway.processes.worker_slot import WorkerSlot, WorkerSlots

TIMES = Times(loading=0.0, silence=0.0, leaving=0.0)


def worker(
    generation: int = 0, ready_at: float | None = None, *, forked_at: float = 0.0
) -> WorkerProcess:
    made = WorkerProcess(1, socket.socket(), generation=generation, times=TIMES, now=forked_at)
    made.ready_at = ready_at
    return made


def test_who_serves_code_of_another_generation_is_outdated() -> None:
    place = WorkerSlot(0)
    assert not place.is_outdated(1), "there is nobody"
    place.loading.append(worker(1))
    assert not place.is_outdated(2), "it does not serve yet"
    place.take(place.loading[0])
    assert not place.is_outdated(1)
    assert place.is_outdated(2)
    assert place.worker is not None
    place.worker.wants_replacement_since = 1.0
    assert place.is_outdated(1)


def test_since_when_it_serves() -> None:
    place = WorkerSlot(0)
    place.loading.append(worker())
    assert place.ready_at() is None
    place.take(worker(1, 7.0))
    assert place.ready_at() == 7.0


def test_nobody_relies_on_who_began_to_load_before_the_place_was_left() -> None:
    place = WorkerSlot(0)
    assert place.is_deserted()
    first, hung = worker(), worker(1, forked_at=5.0)
    place.loading.append(first)
    assert place.is_awaited()
    place.take(first)
    assert not place.is_deserted()
    assert not place.is_awaited()
    place.loading.append(hung)
    place.remove(first, 6.0)
    assert place.is_deserted()
    other = worker(1, forked_at=6.0)
    place.loading.append(other)
    assert place.is_awaited()
    assert place.take(hung) == [other], "whoever is first; the other one is not needed"
    assert place.loading == []


def test_who_has_asked_to_be_replaced_has_its_successor_in_who_loads_since() -> None:
    place = WorkerSlot(0)
    worn, hung = worker(ready_at=1.0), worker(1, forked_at=4.9)
    place.loading.append(worn)
    place.take(worn)
    place.loading.append(hung)
    worn.wants_replacement_since = 5.0
    place.remove(worn, 6.0)
    assert place.is_deserted(), "who began before it asked may hang"
    place.loading.append(worker(1, forked_at=5.0))
    assert place.is_awaited()


def test_one_who_loads_and_ends_leaves_the_place_to_who_serves() -> None:
    place = WorkerSlot(0)
    first, second = worker(), worker(1)
    place.take(first)
    place.loading.append(second)
    place.remove(second, 1.0)
    assert (place.worker, place.loading) == (first, [])


def served(count: int) -> WorkerSlots:
    places = WorkerSlots(count)
    places.open_all()
    for place in places:
        place.take(worker(0, 1.0))
    return places


def test_one_place_is_filled_before_the_others() -> None:
    places = WorkerSlots(3)
    assert [place.number for place in places.wanting([])] == [0]
    places.open_all()
    assert [place.number for place in places.wanting([])] == [0, 1, 2]


def test_one_place_at_a_time_is_renewed_but_a_deserted_one_is_not_waited_with() -> None:
    places = served(2)
    assert places.are_current()
    places.generation = 1
    assert not places.are_current()
    one, other = places
    assert list(places.wanting([])) == [one, other]
    one.loading.append(worker(1, forked_at=2.0))
    assert list(places.wanting([])) == []
    assert other.worker is not None
    other.remove(other.worker, 3.0)
    assert list(places.wanting([])) == [other]
    assert not places.are_served()


def leaving(count: int, ready_at: float | None) -> list[WorkerProcess]:
    made = [worker(0, ready_at) for _ in range(count)]
    for each in made:
        each.is_leaving = True
    return made


def test_reloads_wait_while_too_many_have_not_gone() -> None:
    places = served(1)
    places.generation = 1
    (place,) = places
    assert list(places.wanting(leaving(7, 1.0))) == [place]
    assert list(places.wanting(leaving(8, 1.0))) == []
    assert list(places.wanting(leaving(1, None))) == [place]
    assert list(places.wanting(leaving(2, None))) == []
    assert place.worker is not None
    place.remove(place.worker, 2.0)
    assert list(places.wanting(leaving(8, 1.0))) == [place], "else nobody would serve"
    assert list(places.wanting(leaving(2, None))) == []


def test_where_a_worker_is() -> None:
    places = WorkerSlots(2)
    one, other = places
    serving, loading = worker(0, 1.0), worker()
    one.take(serving)
    other.loading.append(loading)
    assert places.of(serving) is one
    assert places.of(loading) is other
    assert places.of(worker()) is None


def test_more_places_let_more_go() -> None:
    places = served(2)
    places.generation = 1
    assert list(places.wanting(leaving(15, 1.0))) == list(places)
    assert list(places.wanting(leaving(16, 1.0))) == []
    assert list(places.wanting(leaving(3, None))) == list(places)
    assert list(places.wanting(leaving(4, None))) == []
