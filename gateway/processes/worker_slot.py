"""WorkerSlots for workers: one serves in each, or none for a while; others load to take over.

Theory of operation.  Who loads takes the place when it can serve, whoever was in it.  While nobody
serves, the place does not rely on who began to load before it was left: that one may never end.  It
wants one more, which loads what the code is by now, and the first to be ready takes it.  So no more
than two load for one place.  A worker that has asked to be replaced has left the place when it
asked: one that began to load since then is its successor.
"""

from collections.abc import Collection, Iterator
from typing import Final

from gateway.processes.back_off import BackOff
from gateway.processes.worker_process import WorkerProcess

_MOST_OUTDATED: Final = 2
"""Per place: processes that were ended while they loaded and have not gone yet."""

_MOST_LEAVING: Final = 8
"""Per place: processes that were told to end and have not gone yet.  Further reloads wait, or each
would add a process for as long as its last request takes."""


class WorkerSlot:
    """A place, by its number.  All times are `time.monotonic()`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: WorkerProcess | None = None
        """Who serves."""
        self.loading: list[WorkerProcess] = []
        """Forked to take the place, and not ready yet."""
        self.not_before = 0.0
        """The earliest time to fork for this place."""
        self.back_off = BackOff()
        self._left_at = 0.0

    def ready_at(self) -> float | None:
        """Since when its worker can serve; `None`: there is none."""
        return None if self.worker is None else self.worker.ready_at

    def is_outdated(self, generation: int) -> bool:
        """Whether its worker should be replaced; `generation` is that of the newest code."""
        worker = self.worker
        return worker is not None and (worker.needs_replacement or worker.generation < generation)

    def is_deserted(self) -> bool:
        """Whether nobody serves, and nobody has begun to load since then."""
        return self.worker is None and all(
            worker.forked_at < self._left_at for worker in self.loading
        )

    def is_awaited(self) -> bool:
        """Whether nobody serves, and who has begun to load since then is waited for."""
        return self.worker is None and not self.is_deserted()

    def take(self, worker: WorkerProcess) -> list[WorkerProcess]:
        """One of those that load serves now; who loads in vain from now on."""
        self.worker = worker
        others = [each for each in self.loading if each is not worker]
        self.loading = []
        return others

    def remove(self, worker: WorkerProcess, now: float) -> None:
        """It has ended, or nothing is expected of it any more."""
        if worker is self.worker:
            self.worker = None
            self._left_at = now if worker.worn_at is None else worker.worn_at
        else:
            self.loading.remove(worker)


class WorkerSlots:
    """All of them."""

    def __init__(self, count: int) -> None:
        self._all = [WorkerSlot(number) for number in range(count)]
        self._open = self._all[:1]
        self.generation = 0
        """Counts reloads."""

    def __iter__(self) -> Iterator[WorkerSlot]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def open_all(self) -> None:
        """One worker serves; until then no other is forked, so that a mistake is told once."""
        self._open = self._all

    def of(self, worker: WorkerProcess) -> WorkerSlot | None:
        """Where it works or is going to; `None` when it was told to leave."""
        for place in self._all:
            if worker is place.worker or worker in place.loading:
                return place
        return None

    def are_served(self) -> bool:
        """Whether there is a worker in each."""
        return all(place.worker is not None for place in self._all)

    def are_current(self) -> bool:
        """Whether each has one that need not be replaced."""
        return self.are_served() and not any(
            place.is_outdated(self.generation) for place in self._all
        )

    def wanting(self, workers: Collection[WorkerProcess]) -> Iterator[WorkerSlot]:
        """Those that want another process; `workers` are all that there are."""
        leaving = [worker for worker in workers if worker.is_leaving]
        outdated = sum(worker.ready_at is None for worker in leaving)
        if outdated >= _MOST_OUTDATED * len(self):
            return
        for place in self._open:
            if place.is_deserted():
                yield place
        if len(leaving) >= _MOST_LEAVING * len(self):
            return
        # One at a time, so that the others serve meanwhile.
        if not any(place.loading for place in self._all):
            for place in self._all:
                if place.is_outdated(self.generation):
                    yield place
