"""What is kept of request bodies: of one request, and of all of a process together."""

from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import IO, Final, Protocol

from gateway.http.body.blocks import BlockPool, Blocks
from gateway.http.body.body_file import BodyFile

_SMALL: Final = 128 * 1024
"""Bytes up to which a body in pieces is put together in a `BytesIO`."""

_LEAST_READ: Final = 16 * 1024
"""Bytes that are read at once even if the budget has room for fewer."""


class BodyBuffer:
    """A whole body in memory, as Function Compute hands it to a handler: a file in memory.

    A body that came in one segment is shared with its `BytesIO` instead of copied; a small one
    grows in the `BytesIO` that the handler will read, a large one in blocks.  So it is in memory
    once.
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
        """Where the next bytes belong, up to `limit` of them, for who writes them there."""
        return self._open_blocks().room(limit)

    def filled(self, size: int) -> None:
        """So many bytes were written to what `room` gave."""
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
        """Everything, for one who goes on in another way."""
        if self._blocks is not None:
            # Not to be in memory twice for longer than this takes.
            self._first = self._blocks.read_from(0)
            self._blocks = None
        return self._first if self._stream is None else self._stream.getvalue()

    def open(self) -> IO[bytes]:
        """The body, to be read from its beginning."""
        if self._blocks is not None:
            return BodyFile(self._blocks)
        if self._stream is None:
            return BytesIO(self._first)
        self._stream.seek(0)
        return self._stream


_SHORT: Final = 2.0
"""Seconds that somebody waits for memory, or a quarter of what it may wait, before somebody else is
cut off for it."""

_SLOW: Final = 4.0
"""Of the time for a body: who brings what it holds more slowly than that may be cut off."""


class Upload(Protocol):
    """Whose body it is, as far as it can be cut off."""

    is_cut: bool
    """Set: it is to end."""

    @property
    def pace(self) -> float | None:
        """Bytes per second lately; `None`: it is not known yet."""


class BodyBudget:
    """How many bytes of bodies a process keeps in memory, shared by all its connections.

    Over the limit connections stop reading and wait for their turn.  The body that began first may
    go on, so that waiting cannot become a deadlock: up to `overdraft` bytes over the limit, and
    without end while no complete body is held, whose handler would give it back.  So what is held
    stays within the limit, the overdraft, and a segment for each connection.

    While others wait, who holds much and brings little is cut off: the one first that would need
    the longest at its pace for what it holds.  While nobody waits, everybody may be slow.

    All methods belong to the loop's thread but `give_back`, which may be called from any.
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
        """Those of them whose bodies are not complete."""
        self._open: dict[Upload, int] = {}
        self._streamed: dict[Upload, int] = {}
        """Bodies that are read while they arrive, and how much is counted for them meanwhile."""
        self._waiting: dict[Upload, Callable[[], None]] = {}
        self._short_since: float | None = None
        """Since when somebody waits, as far as the sweep has seen."""
        self._returned: deque[int] = deque()

    @property
    def has_waiting(self) -> bool:
        """Whether somebody should call `settle` soon after giving bytes back."""
        return bool(self._waiting)

    def enter(self, owner: Upload) -> None:
        """Register a body that begins to arrive."""
        self._open[owner] = 0

    def take(self, owner: Upload, size: int, resume: Callable[[], None]) -> bool:
        """Count `size` bytes that arrived; whether the owner may read more at once.

        If not, `resume` is called when it may.
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
        """How many of `size` bytes the owner should read at once, not to go far over the limit."""
        free = self._limit - self.used
        if free >= size or self._may_overdraw(owner):
            return size
        return min(size, max(free, _LEAST_READ))

    def _may_overdraw(self, owner: Upload) -> bool:
        is_oldest = next(iter(self._open), None) is owner
        is_held = self.used > self._arriving
        return is_oldest and (not is_held or self.used <= self._limit + self._overdraft)

    def hold(self, size: int) -> None:
        """Count the bytes of a body that has come at once."""
        self._collect()
        self.used += size

    def stream(self, owner: Upload) -> None:
        """The owner's body is handed on while it arrives; its bytes stay counted."""
        held = self._open.get(owner, 0)
        self.leave(owner)
        self._streamed[owner] = held

    def leave(self, owner: Upload) -> None:
        """The owner's body is complete, or will not be; its bytes stay counted."""
        self._streamed.pop(owner, None)
        self._arriving -= self._open.pop(owner, 0)
        self._waiting.pop(owner, None)
        if self._waiting:
            self.settle()

    def give_back(self, size: int) -> None:
        """Return the bytes of a body that nobody needs any more; safe in any thread."""
        self._returned.append(size)

    def cut_slowest(self, now: float, body_timeout: float) -> None:
        """Have one upload end that others wait for, if it is slow; called by the sweep.

        `now` is in seconds; for `body_timeout` seconds somebody may wait.
        """
        if not self._waiting:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = now
        elif now - self._short_since >= min(_SHORT, body_timeout / 4):
            seconds, slowest = max(
                (
                    (held / max(owner.pace, 1.0), owner)
                    for owner, held in (*self._open.items(), *self._streamed.items())
                    if owner.pace is not None and not owner.is_cut
                ),
                key=lambda pair: pair[0],
                default=(0.0, None),
            )
            if slowest is not None and seconds > body_timeout * _SLOW:
                slowest.is_cut = True
                self._short_since = now

    def settle(self) -> None:
        """Let those read on for whom there is room again."""
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
