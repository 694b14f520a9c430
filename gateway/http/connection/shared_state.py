"""What all connections of a worker share."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from time import time
from typing import TYPE_CHECKING, Final, Protocol

from gateway.fc import names
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2
from gateway.http.body.blocks import BlockPool
from gateway.http.body.body import BodyBudget
from gateway.http.connection.connection_warnings import ConnectionWarnings
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import CrossOrigin, Gate
from gateway.http.connection.pending_input import PendingInput
from gateway.http.connection.write_backlog import WriteBacklog
from gateway.http.message.fields import FieldNames
from gateway.limits import MIB, Limits

if TYPE_CHECKING:
    import asyncio

    from gateway.fc.metadata import InvocationMetadata
    from gateway.http.message.head import RequestHead
    from gateway.http.message.origin import Ends, Origin


class Application(Protocol):
    """Responds to exchanges."""

    def handle(self, exchange: Exchange) -> None:
        """Respond to `exchange`, now or later.

        Called on the loop; must neither block nor raise.
        """

    def relieve(self) -> bool:
        """A slow client stalls the calling thread.

        Returns whether the application goes on without that thread.
        """

    @property
    def is_short_of_threads(self) -> bool:
        """Whether requests wait for a thread, so that a client that stalls a thread delays them."""


class ServedApplication(Application, Protocol):
    """An application with a life cycle."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running."""

    @property
    def needs_replacement(self) -> bool:
        """Whether its process should be replaced."""

    def start(self) -> None:
        """Get ready for exchanges."""

    def check_deadlines(self, now: float) -> None:
        """Give up requests past their deadlines; `now` is the loop's time, in seconds."""

    def stop(self) -> None:
        """No more exchanges will come."""


class Proxies(Protocol):
    """Reads what trusted proxies say about a request."""

    def origin(self, head: "RequestHead", ends: "Ends") -> "Origin":
        """Where the request comes from."""


FIRST_REQUEST_SECONDS: Final = 1.0
"""An ending worker gives a new connection this long for its first request: a client that has just
connected is about to send one, and may be far away or slow."""

NEXT_REQUEST_SECONDS: Final = 0.25
"""An ending worker gives a connection this long for one more request, if its last response did not
announce the close."""


class Client(Protocol):
    """A connected client, in any state, as the sweep, the cap on connections and the worker's end
    see it."""

    @property
    def descriptor(self) -> int:
        """File descriptor of the socket, -1 once closed."""

    @property
    def waits_since(self) -> float:
        """The loop's time since which nothing is under way; 0 while something is."""

    @property
    def pace(self) -> float | None:
        """Recent bytes per second of the upload under way; `None`: there is none, or it has just
        begun."""

    def make_room(self) -> bool:
        """Close for a new connection, unless a request has just arrived.

        Returns whether it closes.
        """

    def check_deadline(self, now: float) -> None:
        """End what is past its deadline; `now` is the loop's time, in seconds."""

    def drain(self) -> bool:
        """The worker ends: close if nothing is under way.

        Returns whether the client should get time for its first request.
        """

    def cut(self) -> None:
        """Close at once."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a connection may take for what, in seconds."""

    keep_alive: float = 75.0
    """Without a request."""

    head: float = 10.0
    """From the first byte of a head to its last."""

    body: float = 30.0
    """From the head to the last byte of the body; every `body_min_rate` bytes add a second."""

    body_min_rate: int = 500
    """Bytes per second; 0: bytes that arrive do not extend the time."""

    body_total: float = 900.0
    """From the head to the last byte of the body, however fast it arrives."""

    write: float = 30.0
    """The longest time in which the client takes no byte of its response."""

    linger: float = 30.0
    """After an early refusal, for the client to finish sending and read the response."""


class SharedState:
    """Application, settings and budgets of a worker's connections, and the open connections."""

    __slots__ = (
        "_second",
        "_server_field",
        "application",
        "blocks",
        "budget",
        "connections",
        "constant_fields",
        "cross_origin",
        "error_style",
        "exchange_type",
        "gate",
        "is_draining",
        "limits",
        "loop",
        "metadata",
        "names",
        "next_request_id",
        "pending_input",
        "proxies",
        "record",
        "timeouts",
        "troubles",
        "write_backlog",
    )

    def __init__(
        self,
        *,
        loop: "asyncio.AbstractEventLoop",
        application: Application,
        limits: Limits,
        timeouts: Timeouts,
        budget: BodyBudget,
        next_request_id: Callable[[], str],
        error_style: ErrorStyle = FunctionCompute2(),
        exchange_type: type[Exchange] = Exchange,
        metadata: "InvocationMetadata | None" = None,
        max_write_backlog: int = 256 * MIB,
        max_pending_input: int = 64 * MIB,
        server_header: str = "",
        record: Callable[[Exchange], None] | None = None,
        proxies: "Proxies | None" = None,
        gate: Gate | None = None,
        cross_origin: CrossOrigin | None = None,
        believes_platform: bool = False,
    ) -> None:
        """`record` is called once for every finished exchange, in any thread.

        `error_style` composes the responses to refused requests.
        `exchange_type` is the class of exchanges (see `fc_fields`); `metadata` makes the fields
        that describe an invocation in the response of a `TellingExchange`.
        `max_write_backlog` bounds the bytes of responses that wait for their clients,
        `max_pending_input` those of incomplete requests, without their bodies.
        `proxies` reads what trusted proxies say about the client; `None`: no proxy is trusted.
        `gate` lets requests in, `None`: all of them.  `cross_origin` adds fields to responses.
        `believes_platform`: only Function Compute can connect.  All `X-Fc-*` fields are then its
        own, those with which clients control an invocation included, and the application sees them,
        as on Function Compute.
        """
        self.loop = loop
        self.application = application
        self.limits = limits
        self.timeouts = timeouts
        self.budget = budget
        self.next_request_id = next_request_id
        self.error_style = error_style
        self.exchange_type = exchange_type
        self.metadata = metadata
        self.record = record
        self.proxies = proxies
        self.gate = gate
        self.cross_origin = cross_origin
        self.names = FieldNames(is_withheld, is_platform if believes_platform else None)
        self.blocks = BlockPool()
        self.troubles = ConnectionWarnings()
        self.write_backlog = WriteBacklog(max_write_backlog, self.troubles.unread)
        self.pending_input = PendingInput(max_pending_input, self.troubles.shed)
        self.connections: set[Client] = set()
        self.is_draining = False
        self._server_field = f"Server: {server_header}\r\n" if server_header else ""
        self._second = -1
        self.constant_fields = ""
        """Field lines of every response, up to the value of its request id."""
        self.refresh_date()

    def refresh_date(self) -> None:
        """Set `Date` to the present (RFC 9110 §6.6.1: an origin server sends it).

        The sweep calls this.  A look at the clock per response would cost 1 % of a small one.
        """
        second = int(time())
        if second != self._second:
            self._second = second
            date = formatdate(second, usegmt=True)
            self.constant_fields = f"Date: {date}\r\n{self._server_field}{names.REQUEST_ID}: "


def is_withheld(name: bytes) -> bool:
    """Whether the application must not see this field from a client: only FC itself may set it."""
    return name.startswith(_PLATFORM_PREFIX) and name.decode("latin-1") not in names.CLIENT_CONTROLS


def is_platform(name: bytes) -> bool:
    """Whether Function Compute, where it is in front, sets this field.

    It also handles the fields with which clients control an invocation.
    """
    return name.startswith(_PLATFORM_PREFIX)


_PLATFORM_PREFIX: Final = names.HEADER_PREFIX.encode()
