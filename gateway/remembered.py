"""What has been found out once and may be asked for again: bounded, and never stale for long."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(dict[K, V]):
    """A dictionary that forgets everything when it is full.

    Clients and handlers can bring any number of different keys.  A memory that kept the first ones
    would be useless for the life of the process once somebody has filled it; this one has what is
    asked for often back at its next look.  To look costs what it costs in a `dict`: nothing is
    noted of it.  Any thread may look and `remember`: each step is atomic, and a key that is lost
    between two of them is found out again.
    """

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        """`most` entries are kept."""
        super().__init__()
        self._most = most

    def remember(self, key: K, value: V) -> None:
        """Keep `value`, for some time at least."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
