"""A place for a worker: one serves there, or none for a while; another may take over soon."""

from gateway.supervision.back_off import BackOff
from gateway.supervision.worker_process import WorkerProcess


class Place:
    """A place, by its number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: WorkerProcess | None = None
        self.successor: WorkerProcess | None = None
        """Forked to take the worker's place, and not ready yet."""
        self.not_before = 0.0
        """The earliest time to fork for this place, by `time.monotonic()`."""
        self.back_off = BackOff()

    def ready_at(self) -> float | None:
        """Since when its worker can serve; `None`: it cannot, or there is none."""
        return None if self.worker is None else self.worker.ready_at

    def is_outdated(self, generation: int) -> bool:
        """Whether its worker serves, and should be replaced."""
        worker = self.worker
        if worker is None or worker.ready_at is None:
            return False
        return worker.is_worn or worker.generation < generation

    def remove(self, worker: WorkerProcess) -> None:
        """It has ended, or nothing is expected of it any more."""
        if worker is self.worker:
            self.worker = self.successor
        self.successor = None
