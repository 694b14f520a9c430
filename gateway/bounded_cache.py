"""A bounded cache that empties itself when it is full.

Clients and handlers can bring any number of different keys.  A cache that kept the first ones would
be useless for the life of the process once a client has filled it.  A cache that forgets all of
them gets the frequent ones back at their next use.

A lookup is a lookup in a plain `dict`, without bookkeeping.  Any thread may look up and remember:
each step is atomic, and a key that disappears between two steps is computed again.
"""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def remember(cache: dict[K, V], max_entries: int, key: K, value: V) -> None:
    """Keep `value` for a while; `cache` never has more than `max_entries` entries."""
    if len(cache) >= max_entries:
        cache.clear()
    cache[key] = value


class BoundedCache(dict[K, V]):
    """A cache that knows its own bound; slower by a call than a `dict` and `remember`."""

    __slots__ = ("_max_entries",)

    def __init__(self, max_entries: int) -> None:
        """The cache never has more than `max_entries` entries."""
        super().__init__()
        self._max_entries = max_entries

    def remember(self, key: K, value: V) -> None:
        """Keep `value` for a while."""
        remember(self, self._max_entries, key, value)
