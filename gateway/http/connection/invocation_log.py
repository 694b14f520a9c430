"""What those who run invocations know of the function log."""

from types import TracebackType
from typing import Final, Literal, Protocol

from gateway.fc import names
from gateway.http.message.head import RequestHead

INVOKE: Final = "Invoke"
"""What an invocation is called in the log, beside the phases of hooks."""

FAILED: Final = "Unhandled function error"
"""In the end mark of an invocation whose code let an exception escape; Function Compute's words."""

STOPPED: Final = "Invocation stopped"
"""In that of one that was told to end, because the gateway ends."""

CANCELED: Final = "Invocation canceled by client"
"""In the end mark of an invocation whose client took no answer."""


class InvocationLog(Protocol):
    """A context manager around the function's code, in its thread or task."""

    wants_tail: bool
    """Whether the answer is to show the log, and waits for its end."""

    def __enter__(self) -> object: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def fail(self, error: str = FAILED) -> None:
        """Have the end mark tell of a fault; the first one that is told counts."""

    def end(self, error: str | None = None) -> None:
        """Write the end, unless it is there; from any thread."""

    def tell(self, level: int, message: str, error: BaseException | None) -> bool:
        """Take a message of the gateway on the invocation; whether it is in its log then."""

    def take_tail(self) -> str:
        """The tail as it is now, in base64; "" when nobody wants it, or it has been taken."""


Readers = Literal["nobody", "authenticated", "everybody"]
"""Which clients may ask for the tail of the log."""


class FunctionLog(Protocol):
    """Listens to what is printed and logged."""

    is_on: bool
    """Whether every invocation is attended, and not only those whose client asks for a tail."""
    tail_readers: Readers

    def attend(self, phase: str, request_id: str, wants_tail: bool = False) -> InvocationLog:
        """What to run an invocation in."""


class Asking(Protocol):
    """An exchange whose client may ask for the tail of the log."""

    is_authenticated: bool

    @property
    def head(self) -> RequestHead | None: ...


def wants_tail(exchange: Asking, log: FunctionLog) -> bool:
    """Whether the answer of `exchange` is to show the log: its client asks, and may read it.

    On Function Compute whoever asks has been authenticated.  So the caller of this very request
    has to be, unless the operator has opened the log to everybody.
    """
    head = exchange.head
    if head is None or not head.awaits_log:
        return False
    readers = log.tail_readers
    return readers == "everybody" or (readers == "authenticated" and exchange.is_authenticated)


class Responding(Protocol):
    """An exchange that is not answered yet."""

    extra_fields: str


def add_tail(exchange: Responding, attendance: InvocationLog) -> None:
    """Have the answer of `exchange` show the log as it is now, if its client wants that."""
    tail = attendance.take_tail()
    if tail:
        exchange.extra_fields += f"\r\n{names.LOG_RESULT}: {tail}"
