"""Slots for workers: in each one worker serves, or none for a while, and others load to take over.

Theory of operation.  A loading worker takes the slot as soon as it is ready, whatever worker was in
it.  While no worker serves, the slot does not rely on a worker that began to load before the slot
became empty: its loading may never end.  The slot asks for one more, which loads the current code,
and the first that is ready takes the slot.  So at most two workers load for one slot.  A worker
that asks to be replaced has left the slot at that moment: one that loads since then succeeds it.
"""

from collections.abc import Collection, Iterator
from typing import Final

from gateway.processes.back_off import BackOff
from gateway.processes.worker_process import WorkerProcess

_MAX_OUTDATED: Final = 2
"""Per slot: processes that were ended while they loaded and have not gone yet."""

_MAX_LEAVING: Final = 8
"""Per slot: processes that are ending.  Further reloads wait, otherwise each would add a process
for as long as its last request takes."""


class WorkerSlot:
    """A numbered slot for one serving worker.  All times are `time.monotonic()`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: WorkerProcess | None = None
        """The worker that serves."""
        self.loading: list[WorkerProcess] = []
        """Workers that were forked for the slot and are not ready yet."""
        self.not_before = 0.0
        """The earliest time to fork for this slot."""
        self.back_off = BackOff()
        self._left_at = 0.0

    def ready_at(self) -> float | None:
        """When its worker became ready; `None` if there is none."""
        return None if self.worker is None else self.worker.ready_at

    def is_outdated(self, generation: int) -> bool:
        """Whether to replace its worker; `generation` is the generation of the newest code."""
        worker = self.worker
        return worker is not None and (worker.needs_replacement or worker.generation < generation)

    def is_deserted(self) -> bool:
        """Whether no worker serves, and none has begun to load since the last one left."""
        return self.worker is None and all(
            worker.forked_at < self._left_at for worker in self.loading
        )

    def is_awaited(self) -> bool:
        """Whether no worker serves, and one has begun to load since the last one left."""
        return self.worker is None and not self.is_deserted()

    def take(self, worker: WorkerProcess) -> list[WorkerProcess]:
        """Let one of the loading workers serve; return the others, which are not needed now."""
        self.worker = worker
        others = [each for each in self.loading if each is not worker]
        self.loading = []
        return others

    def remove(self, worker: WorkerProcess, now: float) -> None:
        """Take out a worker that has ended or will not serve any more."""
        if worker is self.worker:
            self.worker = None
            self._left_at = (
                now if worker.wants_replacement_since is None else worker.wants_replacement_since
            )
        else:
            self.loading.remove(worker)


class WorkerSlots:
    """The slots of all workers."""

    def __init__(self, count: int) -> None:
        self._all = [WorkerSlot(number) for number in range(count)]
        self._forkable = self._all[:1]
        self.generation = 0
        """The number of reloads."""

    def __iter__(self) -> Iterator[WorkerSlot]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def open_all(self) -> None:
        """Open the other slots once a worker serves, so that a fault at the start is reported
        once."""
        self._forkable = self._all

    def of(self, worker: WorkerProcess) -> WorkerSlot | None:
        """The slot in which the worker serves or for which it loads; `None` once it leaves."""
        for slot in self._all:
            if worker is slot.worker or worker in slot.loading:
                return slot
        return None

    def are_served(self) -> bool:
        """Whether every slot has a serving worker."""
        return all(slot.worker is not None for slot in self._all)

    def are_current(self) -> bool:
        """Whether every slot has a worker that need not be replaced."""
        return self.are_served() and not any(
            slot.is_outdated(self.generation) for slot in self._all
        )

    def wanting(self, workers: Collection[WorkerProcess]) -> Iterator[WorkerSlot]:
        """The slots that need another process; `workers` are all workers of the gateway."""
        leaving = [worker for worker in workers if worker.is_leaving]
        outdated = sum(worker.ready_at is None for worker in leaving)
        if outdated >= _MAX_OUTDATED * len(self):
            return
        for slot in self._forkable:
            if slot.is_deserted():
                yield slot
        if len(leaving) >= _MAX_LEAVING * len(self):
            return
        # One at a time, so that the others serve meanwhile.
        if not any(slot.loading for slot in self._all):
            for slot in self._all:
                if slot.is_outdated(self.generation):
                    yield slot
