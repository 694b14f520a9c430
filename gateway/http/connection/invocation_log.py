"""The function log as the code that runs invocations sees it."""

from types import TracebackType
from typing import Final, Literal, Protocol

from gateway.fc import names
from gateway.http.message.head import RequestHead

INVOKE: Final = "Invoke"
"""The phase of an invocation in the log; hooks have phases of their own."""

FAILED: Final = "Unhandled function error"
"""End mark of an invocation whose code let an exception escape; Function Compute's words."""

STOPPED: Final = "Invocation stopped"
"""End mark of an invocation that the gateway stopped because it ends itself."""

CANCELED: Final = "Invocation canceled by client"
"""End mark of an invocation whose client did not take the response."""


class InvocationLog(Protocol):
    """A context manager around the function's code, in its thread or task."""

    wants_tail: bool
    """Whether the response contains the log, and so waits for its end."""

    def __enter__(self) -> object: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def fail(self, error: str = FAILED) -> None:
        """Put a fault into the end mark; the first one counts."""

    def end(self, error: str | None = None) -> None:
        """Write the end mark, unless it is written; from any thread."""

    def tell(self, level: int, message: str, error: BaseException | None) -> bool:
        """Take the gateway's message about the invocation.  Returns whether the log has it."""

    def take_tail(self) -> str:
        """The tail so far, in base64; "" if no client wants it, or it has been taken."""


Readers = Literal["nobody", "authenticated", "everybody"]
"""Which clients may ask for the tail of the log."""


class FunctionLog(Protocol):
    """Listens to what is printed and logged."""

    is_on: bool
    """Whether every invocation is logged, not only those whose client asks for a tail."""
    tail_readers: Readers

    def attend(self, phase: str, request_id: str, wants_tail: bool = False) -> InvocationLog:
        """The context in which to run one invocation."""


class Asking(Protocol):
    """An exchange whose client may ask for the tail of the log."""

    is_authenticated: bool

    @property
    def head(self) -> RequestHead | None: ...


def wants_tail(exchange: Asking, log: FunctionLog) -> bool:
    """Whether the response of `exchange` contains the log: its client asks for it and may read it.

    On Function Compute, every client that can ask is authenticated.  So here the caller of this
    request must be, unless the operator has opened the log to everybody.
    """
    head = exchange.head
    if head is None or not head.awaits_log:
        return False
    readers = log.tail_readers
    return readers == "everybody" or (readers == "authenticated" and exchange.is_authenticated)


class Responding(Protocol):
    """An exchange without a response yet."""

    extra_fields: str


def add_tail(exchange: Responding, attendance: InvocationLog) -> None:
    """Add the log so far to the response of `exchange`, if its client wants it."""
    tail = attendance.take_tail()
    if tail:
        exchange.extra_fields += f"\r\n{names.LOG_RESULT}: {tail}"
