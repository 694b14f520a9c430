"""Request ids in the form that Function Compute 2.0 gives them: UUIDv4 text (RFC 9562 §5.4).

An id is a random part drawn once per process and a counter.  The random part keeps processes
apart and cannot be guessed; the counter makes ids unique within one, at a tenth of the price of
drawing each at random.  Ids are names, not secrets: who sees one can tell its neighbours.
"""

from itertools import count

SEED_SIZE = 16
"""Bytes of entropy that one `RequestIds` takes."""


class RequestIds:
    """An endless supply of request ids.  Make one per process, after it has forked."""

    __slots__ = ("_form", "_numbers")

    def __init__(self, seed: bytes) -> None:
        """`seed` is `SEED_SIZE` fresh random bytes (`os.urandom`); ValueError on another size."""
        if len(seed) != SEED_SIZE:
            raise ValueError(f"the seed has {len(seed)} bytes instead of {SEED_SIZE}")
        digits = seed.hex()
        # RFC 9562 §4: the version is the thirteenth digit, the variant the top of the seventeenth.
        variant = "89ab"[seed[8] >> 6]
        self._form = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-%012x"
        # A random start hides how many requests were served; its top bit stays clear, which
        # leaves 2**47 ids before the last group could overflow.
        self._numbers = count(int(digits[20:], 16) >> 1)

    def next(self) -> str:
        """The next id.  Safe from any thread: the one changing step is a single C call."""
        return self._form % next(self._numbers)
