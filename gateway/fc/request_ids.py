"""Request ids in the forms of Function Compute.

FC 2.0's are UUIDv4 text (RFC 9562 §5.4), 3.0's `1-<second>-<8 digits>-<12 digits>`, hexadecimal.

An id consists of a random part, drawn once per process, and a counter.  The random part differs
between processes and cannot be guessed; the counter makes ids unique within a process, at a tenth
of the price of a random one each.  Ids are names, not secrets: from one id its neighbours follow.

Ids are made in batches in which only the last two digits differ, at a quarter of the price of
formatting each.
"""

from collections.abc import Callable
from itertools import count
from typing import Final

SEED_SIZE = 16
"""Bytes of the seed of `RequestIds`."""

_LAST_DIGITS: Final = [f"{number:02x}" for number in reversed(range(256))]


class RequestIds:
    """An endless supply of request ids.  Make one per process, after it has forked."""

    __slots__ = ("_batches", "_form", "_ready")

    def __init__(self, seed: bytes) -> None:
        """`seed` is `SEED_SIZE` fresh random bytes (`os.urandom`); ValueError on another size."""
        if len(seed) != SEED_SIZE:
            raise ValueError(f"the seed has {len(seed)} bytes instead of {SEED_SIZE}")
        digits = seed.hex()
        # RFC 9562 §4: the version is the thirteenth digit, the variant the top of the seventeenth.
        variant = "89ab"[seed[8] >> 6]
        self._form = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-%010x"
        # A random start hides the number of requests.  Its top bit is clear, which leaves 2**39
        # batches before the last group could overflow.
        self._batches = count(int(digits[20:30], 16) >> 1)
        self._ready: list[str] = []

    def next(self) -> str:
        """The next id.  Safe in any thread: each step that changes something is one C call."""
        while True:
            try:
                return self._ready.pop()
            except IndexError:
                start = self._form % next(self._batches)
                self._ready.extend([start + digits for digits in _LAST_DIGITS])


class RequestIds3:
    """An endless supply of ids in FC 3.0's form, with the second of the request."""

    __slots__ = ("_batches", "_beginning", "_clock", "_random", "_ready", "_second")

    def __init__(self, seed: bytes, clock: Callable[[], float]) -> None:
        """`seed` is that of `RequestIds`; `clock` returns the Unix time in seconds."""
        if len(seed) != SEED_SIZE:
            raise ValueError(f"the seed has {len(seed)} bytes instead of {SEED_SIZE}")
        digits = seed.hex()
        self._random = digits[:8]
        self._batches = count(int(digits[8:18], 16) >> 1)
        self._clock = clock
        self._second = -1
        self._beginning = ""
        self._ready: list[str] = []

    def next(self) -> str:
        """The next id.  Safe in any thread: no batch is made twice."""
        second = int(self._clock())
        if second != self._second:
            self._beginning = f"1-{second & 0xFFFF_FFFF:08x}-{self._random}-"
            self._ready = []
            self._second = second
        while True:
            ready = self._ready
            try:
                return ready.pop()
            except IndexError:
                start = f"{self._beginning}{next(self._batches):010x}"
                ready.extend([start + digits for digits in _LAST_DIGITS])
