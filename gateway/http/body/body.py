"""Request bodies in memory: one body, and the budget of all bodies of a process."""

from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import IO, Final, Protocol

from gateway.http.body.blocks import BlockPool, Blocks
from gateway.http.body.body_file import BodyFile

_SMALL: Final = 128 * 1024
"""Up to this many bytes, a body in pieces is assembled in a `BytesIO`."""

_MIN_READ: Final = 16 * 1024
"""Bytes of one read, even if the budget has room for fewer."""


class BodyBuffer:
    """A whole body in memory, which the handler reads as a file, as on Function Compute.

    The body is in memory once.  A body that came in one segment is shared with its `BytesIO`, not
    copied; a small one grows in the `BytesIO` that the handler will read, a large one in blocks.
    """

    __slots__ = ("_blocks", "_first", "_pool", "_stream", "size")

    def __init__(self, pool: BlockPool) -> None:
        self._pool = pool
        self._first = b""
        self._stream: BytesIO | None = None
        self._blocks: Blocks | None = None
        self.size = 0

    def append(self, piece: bytes | memoryview) -> None:
        """Take the next bytes of the body; `piece` may be a view of a larger segment."""
        if self.size == 0:
            self._first = bytes(piece)
        elif self._blocks is not None or self.size + len(piece) > _SMALL:
            self._open_blocks().append(piece)
        else:
            if self._stream is None:
                self._stream = BytesIO()
                self._stream.write(self._first)
                self._first = b""
            self._stream.write(piece)
        self.size += len(piece)

    def room(self, limit: int) -> memoryview:
        """Where the next bytes belong, up to `limit` of them; the caller writes them there."""
        return self._open_blocks().room(limit)

    def filled(self, size: int) -> None:
        """Take `size` bytes that the caller has written to `room`."""
        self._open_blocks().size += size
        self.size += size

    def _open_blocks(self) -> Blocks:
        if self._blocks is None:
            self._blocks = Blocks(self._pool, self.take_all())
            self._stream = None
            self._first = b""
        return self._blocks

    @property
    def received(self) -> int:
        """Bytes that have arrived."""
        return self.size

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return self.size

    def take_all(self) -> bytes:
        """All bytes, for a caller that does not use this buffer any more."""
        if self._blocks is not None:
            # Free the blocks at once, so that the body is not in memory twice.
            self._first = self._blocks.read_from(0)
            self._blocks = None
        return self._first if self._stream is None else self._stream.getvalue()

    def open(self) -> IO[bytes]:
        """The body as a file, at its beginning."""
        if self._blocks is not None:
            return BodyFile(self._blocks)
        if self._stream is None:
            return BytesIO(self._first)
        self._stream.seek(0)
        return self._stream


_MAX_SHORTAGE_SECONDS: Final = 2.0
"""A slow upload is cut off after others have waited for memory this long, or for a quarter of the
body timeout if that is shorter."""

_SLOW_FACTOR: Final = 4.0
"""An upload is slow if its bytes so far would take longer than the body timeout times this, at its
present pace."""


class Upload(Protocol):
    """A body that is arriving and can be cut off."""

    is_cut: bool
    """Set by the budget: the upload must end."""

    @property
    def pace(self) -> float | None:
        """Recent bytes per second; `None`: not known yet."""


class BodyBudget:
    """How many bytes of bodies a process keeps in memory, shared by all its connections.

    Over the limit, connections stop reading and wait for their turn.  The oldest body may go on, so
    that waiting cannot become a deadlock: up to `overdraft` bytes over the limit, and without end
    while no complete body is held, whose handler would return it.  So the bytes held stay within
    the limit, the overdraft, and a segment per connection.

    While others wait, an upload that holds many bytes and sends few is cut off: first the one that
    would take the longest, at its pace, for the bytes that it holds.  While nobody waits, every
    upload may be slow.

    All methods belong to the loop's thread, except `give_back`, which any thread may call.
    """

    __slots__ = (
        "_arriving",
        "_limit",
        "_open",
        "_overdraft",
        "_returned",
        "_short_since",
        "_streamed",
        "_waiting",
        "used",
    )

    def __init__(self, limit: int, overdraft: int = 0) -> None:
        """`limit` and `overdraft` in bytes; an overdraft of one body lets all bodies finish."""
        self._limit = limit
        self._overdraft = overdraft
        self.used = 0
        """Bytes taken and not given back."""
        self._arriving = 0
        """The part of `used` that belongs to incomplete bodies."""
        self._open: dict[Upload, int] = {}
        """Incomplete bodies and their bytes, the oldest first."""
        self._streamed: dict[Upload, int] = {}
        """Bodies that are read while they arrive, and the bytes counted for them."""
        self._waiting: dict[Upload, Callable[[], None]] = {}
        self._short_since: float | None = None
        """The time of the first sweep that has seen a waiting upload; `None`: nobody waits."""
        self._returned: deque[int] = deque()

    @property
    def has_waiting(self) -> bool:
        """Whether uploads wait, so that `settle` should follow soon after `give_back`."""
        return bool(self._waiting)

    def enter(self, owner: Upload) -> None:
        """Register a body that begins to arrive."""
        self._open[owner] = 0

    def take(self, owner: Upload, size: int, resume: Callable[[], None]) -> bool:
        """Count `size` bytes that arrived.  Returns whether the owner may read on at once.

        If not, the budget calls `resume` when it may.
        """
        self._collect()
        self.used += size
        self._arriving += size
        self._open[owner] += size
        if self.used <= self._limit or self._may_overdraw(owner):
            return True
        self._waiting[owner] = resume
        return False

    def room(self, owner: Upload, size: int) -> int:
        """How many of `size` bytes the owner should read next, to stay close to the limit."""
        free = self._limit - self.used
        if free >= size or self._may_overdraw(owner):
            return size
        return min(size, max(free, _MIN_READ))

    def _may_overdraw(self, owner: Upload) -> bool:
        is_oldest = next(iter(self._open), None) is owner
        is_held = self.used > self._arriving
        return is_oldest and (not is_held or self.used <= self._limit + self._overdraft)

    def hold(self, size: int) -> None:
        """Count the bytes of a body that arrived complete."""
        self._collect()
        self.used += size

    def stream(self, owner: Upload) -> None:
        """The owner's body is streamed from now on; its bytes stay counted."""
        held = self._open.get(owner, 0)
        self.leave(owner)
        self._streamed[owner] = held

    def leave(self, owner: Upload) -> None:
        """The owner's body is complete, or never will be; its bytes stay counted."""
        self._streamed.pop(owner, None)
        self._arriving -= self._open.pop(owner, 0)
        self._waiting.pop(owner, None)
        if self._waiting:
            self.settle()

    def give_back(self, size: int) -> None:
        """Return the bytes of a body that nobody needs any more; from any thread."""
        self._returned.append(size)

    def cut_slowest(self, now: float, body_timeout: float) -> None:
        """End the slowest upload if others have waited for memory; called by each sweep.

        `now` and `body_timeout` are in seconds.
        """
        if not self._waiting:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = now
        elif now - self._short_since >= min(_MAX_SHORTAGE_SECONDS, body_timeout / 4):
            seconds, slowest = max(
                (
                    (held / max(owner.pace, 1.0), owner)
                    for owner, held in (*self._open.items(), *self._streamed.items())
                    if owner.pace is not None and not owner.is_cut
                ),
                key=lambda pair: pair[0],
                default=(0.0, None),
            )
            if slowest is not None and seconds > body_timeout * _SLOW_FACTOR:
                slowest.is_cut = True
                self._short_since = now

    def settle(self) -> None:
        """Resume waiting uploads for which there is room again."""
        self._collect()
        oldest = next(iter(self._open), None)
        if oldest is not None and oldest in self._waiting and self._may_overdraw(oldest):
            self._waiting.pop(oldest)()
        for owner in list(self._waiting):
            if self.used > self._limit:
                break
            self._waiting.pop(owner)()

    def _collect(self) -> None:
        while self._returned:
            self.used -= self._returned.popleft()
