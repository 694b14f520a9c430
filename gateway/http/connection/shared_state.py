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
from gateway.http.connection.pending_input import PendingInput
from gateway.http.connection.unsent import UnsentResponses
from gateway.http.message.fields import FieldNames
from gateway.limits import MIB, Limits

if TYPE_CHECKING:
    import asyncio

    from gateway.fc.metadata import InvocationMetadata
    from gateway.http.connection.gate import CrossOrigin, Gate
    from gateway.http.message.head import RequestHead
    from gateway.http.message.origin import Ends, Origin


class Application(Protocol):
    """What answers exchanges."""

    def handle(self, exchange: "Exchange") -> None:
        """Answer `exchange`, now or later.  Called on the loop; must neither block nor raise."""

    def relieve(self) -> bool:
        """The calling thread, which answers an exchange, is held up by its slow client.

        Whether nobody else is held up by that.
        """

    @property
    def is_short_of_threads(self) -> bool:
        """Whether requests wait for a thread; a client that holds one up holds up them."""


class ServedApplication(Application, Protocol):
    """An application with a life cycle."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running."""

    @property
    def needs_replacement(self) -> bool:
        """Whether its process should be replaced."""

    def start(self) -> None:
        """Be ready for exchanges."""

    def check_deadlines(self, now: float) -> None:
        """Give up what is past its time; `now` is the loop's, in seconds."""

    def stop(self) -> None:
        """No more exchanges will come."""


class Proxies(Protocol):
    """Reads what trusted proxies say of a request."""

    def origin(self, head: "RequestHead", ends: "Ends") -> "Origin":
        """Where the request comes from."""


FIRST_REQUEST: Final = 1.0
"""Seconds that a new connection has for its first request, also where the worker ends: a client
that has just connected has something to say, and may be far away or slow to run."""


NEXT_REQUEST: Final = 0.25
"""Seconds that a connection has for one more request, where the worker ends just behind an answer
that did not say so."""


class Client(Protocol):
    """Who is connected, in whatever state: what the sweep, the cap on connections and the end of
    the worker need of it."""

    @property
    def descriptor(self) -> int:
        """Of its socket; -1: it is closed."""

    @property
    def waits_since(self) -> float:
        """Since when, by the loop's time, it has nothing under way; 0: it has."""

    @property
    def pace(self) -> float | None:
        """How many bytes per second it has brought lately of what it has under way; `None`: it
        brings nothing that is awaited, or has just begun."""

    def make_room(self) -> bool:
        """Close for a newcomer, unless something has come in this moment; whether it does."""

    def check_deadline(self, now: float) -> None:
        """End what is past its time; `now` is the loop's, in seconds."""

    def drain(self) -> bool:
        """The worker ends: close if nothing is under way; whether a first request is waited for."""

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
    """From the head to the last byte of the body; each `body_min_rate` bytes add a second."""

    body_min_rate: int = 500
    """Bytes per second; 0: the body's time does not grow with what has arrived."""

    body_total: float = 900.0
    """From the head to the last byte of the body, however fast it comes."""

    write: float = 30.0
    """In which the client takes no byte of its answer."""

    linger: float = 30.0
    """After an early refusal, for the client to finish sending and read its answer."""


class SharedState:
    """The surroundings of connections: application, limits, budget; who is connected."""

    __slots__ = (
        "_second",
        "_server_field",
        "application",
        "backlog",
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
        "proxies",
        "record",
        "timeouts",
        "troubles",
        "unsent",
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
        exchange_type: "type[Exchange]" = Exchange,
        metadata: "InvocationMetadata | None" = None,
        max_unsent: int = 256 * MIB,
        max_backlog: int = 64 * MIB,
        server_header: str = "",
        record: "Callable[[Exchange], None] | None" = None,
        proxies: "Proxies | None" = None,
        gate: "Gate | None" = None,
        cross_origin: "CrossOrigin | None" = None,
        believes_platform: bool = False,
    ) -> None:
        """`record` is called once for every exchange when it is over, in any thread.

        `error_style` makes the answers to what is refused.
        `exchange_type` is what requests become (`http.fc_fields` has others), `metadata` what
        those of them tell that tell of their invocations.
        `max_unsent`, in bytes, is for answers that wait for their clients, `max_backlog` for
        requests that have not come whole, without their bodies.
        `proxies`: whose words on the client are believed; `None`: nobody's.
        `gate` lets requests in, `None`: all of them; `cross_origin` adds to answers.
        `believes_platform`: whether only Function Compute can connect, whose words all `X-Fc-*`
        fields are then, the controls of clients too.  The application sees them, as behind
        Function Compute itself.
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
        self.unsent = UnsentResponses(max_unsent, self.troubles.unread)
        self.backlog = PendingInput(max_backlog, self.troubles.shed)
        self.connections: set[Client] = set()
        self.is_draining = False
        self._server_field = f"Server: {server_header}\r\n" if server_header else ""
        self._second = -1
        self.constant_fields = ""
        """Field lines that every response has, up to the value of its request id."""
        self.refresh_date()

    def refresh_date(self) -> None:
        """Take the time for `Date` (RFC 9110 §6.6.1: an origin sends one); the sweep calls it.

        A clock look for each response would cost a hundredth of a small one.
        """
        second = int(time())
        if second != self._second:
            self._second = second
            date = formatdate(second, usegmt=True)
            self.constant_fields = f"Date: {date}\r\n{self._server_field}{names.REQUEST_ID}: "


def is_withheld(name: bytes) -> bool:
    """Whether a client may not tell the application this: what FC itself says in headers."""
    return name.startswith(_PLATFORM_PREFIX) and name.decode("latin-1") not in names.CLIENT_CONTROLS


def is_platform(name: bytes) -> bool:
    """Whether Function Compute itself says this, where it is in front: also where clients may use
    the name, for what such a field asks is its business then."""
    return name.startswith(_PLATFORM_PREFIX)


_PLATFORM_PREFIX: Final = names.HEADER_PREFIX.encode()
