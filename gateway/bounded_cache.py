"""What has been found out once and may be asked for again: bounded, and never stale for long.

Clients and handlers can bring any number of different keys.  A memory that kept the first ones
would be useless for the life of the process once somebody has filled it; one that forgets all when
it is full has what is asked for often back at its next look.

To look is to look into a plain `dict`: nothing is noted of it.  Any thread may look and remember:
each step is atomic, and a key that is lost between two of them is found out again.
"""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def remember(memory: dict[K, V], most: int, key: K, value: V) -> None:
    """Keep `value` for some time at least; `most` entries are kept."""
    if len(memory) >= most:
        memory.clear()
    memory[key] = value


class BoundedCache(dict[K, V]):
    """A memory that knows its own bound, where the last instruction does not count."""

    __slots__ = ("_most",)

    def __init__(self, most: int) -> None:
        """`most` entries are kept."""
        super().__init__()
        self._most = most

    def remember(self, key: K, value: V) -> None:
        """Keep `value`, for some time at least."""
        remember(self, self._most, key, value)
