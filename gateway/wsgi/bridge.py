"""A WSGI handler as an application: of the gateway's own server, and of any ASGI server.

Theory of operation: both ways make an `Invocation` and queue it.  They differ in what it answers
to: the connection's `Exchange`, or a `AsgiExchange` that speaks ASGI's events.  Every line that
concerns WSGI is shared.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from io import BytesIO
from math import ceil, inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from gateway.error_log.loggers import logger
from gateway.errors import ClientDisconnected, Refusal
from gateway.fc import names
from gateway.fc.context import ContextSource, FCContext, context_template
from gateway.fc.metadata import InvocationMetadata
from gateway.fc.proxy_path import address
from gateway.fc.request_ids import SEED_SIZE, RequestIds
from gateway.http.answers.api_path import Unserved
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2
from gateway.http.body.body import BodyBuffer
from gateway.http.connection.detached import ACCEPTED, DetachedExchange
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.invocation_log import FunctionLog
from gateway.http.connection.shared_state import is_withheld
from gateway.http.message.fields import FieldNames
from gateway.limits import MIB, Limits
from gateway.threads.main_thread import MainThread
from gateway.wsgi.asgi_exchange import AsgiExchange, HostedRequest, read_body
from gateway.wsgi.environ import connection_environ, head_environ, request_environ
from gateway.wsgi.exact_environ import exact_environ as make_exact_environ
from gateway.wsgi.exact_environ import exact_head_environ
from gateway.wsgi.hook_job import HookJob
from gateway.wsgi.invocation import Invocation, Rules
from gateway.wsgi.logged_invocation import LoggedInvocation, invocation
from gateway.wsgi.pool import ThreadPool
from gateway.wsgi.pool_thread import PoolThread
from gateway.wsgi.switch_watch import Running

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

    from gateway.http.connection.connection import Connection
    from gateway.http.message.head import RequestHead
    from gateway.http.message.origin import Origin

log = logger("gateway.bridge")

_PROXY_PREFIX: Final = names.PROXY_PREFIX

_LONGEST_WATCH: Final = 0.25
_SHORTEST_WATCH: Final = 0.02
"""Seconds between two looks at the handlers' deadlines, under another server."""

_DRAIN_TIMEOUT: Final = 30.0
"""Seconds that the end of a lifespan waits for handlers that still run."""

_DEFAULT_MEMORY: Final = 512
"""`context.function.memory` in MB, where nobody says otherwise; told, not enforced."""


class WsgiBridge:
    """Runs a WSGI handler in a pool of threads.

    `handle` serves the gateway's own server.  The bridge itself is an ASGI 3 application, for any
    server and middleware; there its threads start with the lifespan, or else with the first
    request.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        *,
        threads: int = 8,
        limit_queue: int = 8192,
        queue_timeout: float = 30.0,
        queue_delay: float = 1.0,
        async_memory: int = 128 * MIB,
        handler_timeout: float = 60.0,
        limits: Limits = Limits(),
        error_style: ErrorStyle = FunctionCompute2(),
        style_of: "Callable[[RequestHead | None], ErrorStyle] | None" = None,
        contexts: ContextSource | None = None,
        address_of: "Callable[[RequestHead, str], tuple[str, FCContext]] | None" = None,
        exact_environ: bool = False,
        metadata: InvocationMetadata | None = None,
        has_fc_fields: bool = True,
        next_request_id: Callable[[], str] | None = None,
        function_log: FunctionLog | None = None,
        is_multiprocess: bool = False,
        lenient_start_response: bool = False,
        main_thread: MainThread | None = None,
        unserved: Unserved | None = None,
    ) -> None:
        """Of a handler that is called in up to `threads` threads at once.

        `limit_queue` requests may wait for a thread, each for `queue_timeout` seconds, and in a
        lasting overload for `queue_delay` seconds (`wsgi.expected_wait`); beside them as many
        asynchronous ones, with `async_memory` bytes in all.  A handler may run for
        `handler_timeout` seconds, 0 is for ever.  `error_style` makes the answers to what
        is refused or fails; where not all requests have the same, `style_of` gives that of a
        request whose invocation fails.  `contexts` makes `environ["fc.context"]`; by default it
        names the handler, and takes credentials from the process environment.
        `address_of`, where requests themselves tell of the invocation, makes path and context from
        head and request id.
        With `exact_environ` environ is Function Compute's, also where that breaks frameworks;
        with `metadata` answers tell of their invocations.
        `function_log` listens to what handlers print and log.
        `is_multiprocess` is `wsgi.multiprocess`: whether other processes may call the same handler
        at the same time; only who starts them knows.
        With `lenient_start_response` handlers may call it again without `exc_info`, as long as
        nothing has been sent.
        `unserved` refuses requests for operations of Function Compute's API.

        For the gateway's own server: with `main_thread`, and `threads` 1, handlers run in that one.

        Of use under other servers only, whose requests no `SharedState` has seen: `has_fc_fields`
        is whether answers have fields `X-Fc-*`, `next_request_id` what gives requests their ids.
        """
        self._rules = Rules(
            handler,
            queue_timeout=queue_timeout,
            handler_timeout=handler_timeout,
            max_response_header_bytes=limits.max_response_header_bytes,
            error_style=error_style,
            style_of=style_of,
            function_log=function_log,
            is_lenient=lenient_start_response,
            note_timeout=self._note_late,
        )
        self._patient_rules = self._rules.without_haste()
        """Of what was accepted, and runs."""
        self._contexts = contexts or _default_contexts(handler, handler_timeout)
        self._address_of = address_of
        self._limits = limits
        self.on_work: Callable[[], object] | None = None
        """Called on the loop when requests have been handed to the main thread."""
        self._new_pool = partial(
            ThreadPool,
            threads,
            limit_queue,
            handler_timeout=handler_timeout,
            queue_timeout=queue_timeout,
            queue_delay=queue_delay,
            async_memory=async_memory,
            main_thread=main_thread,
            on_work=self._tell_work,
        )
        self._pool = self._new_pool()
        self._is_running = False
        self._is_multiprocess = is_multiprocess
        self._unserved = unserved
        self._metadata = metadata
        self._has_fc_fields = has_fc_fields
        # Of requests that ask for nothing more.
        self._invocation = (
            LoggedInvocation if function_log is not None and function_log.is_on else Invocation
        )
        # To bind it for each request costs 1 % of one.
        self._make = self._make_exact_environ if exact_environ else self._make_environ
        self._environ_of = self._make if metadata is None else self._begin_telling
        self._is_exact = exact_environ
        # For other servers only.
        self._names = FieldNames(is_withheld)
        self._request_ids = next_request_id
        self._watched: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<WsgiBridge {self._rules.handler!r} {self._pool!r}>"

    # For app.py, which treats it like the ASGI adapter.

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running."""
        return self._pool.is_idle

    @property
    def needs_replacement(self) -> bool:
        """Whether so many handlers never returned that the process should be replaced."""
        return self._pool.needs_replacement

    def start(self) -> None:
        """Start the threads, on the loop that will call `handle`, unless they run."""
        if not self._is_running:
            self._is_running = True
            self._pool.start(asyncio.get_running_loop().call_soon)

    def _note_late(self) -> None:
        self._pool.refusals.note_late()

    def _start_hosted(self) -> None:
        """Start the threads, unless they run; not for one loop: a test client has many."""
        if not self._is_running:
            self._is_running = True
            self._pool.start(None)

    def _tell_work(self) -> None:
        if self.on_work is not None:
            self.on_work()

    @property
    def load(self) -> int:
        """How many requests wait for a thread or have one."""
        return self._pool.load

    def running_for(self, now: float) -> float:
        """For how many seconds the oldest running request has been; `now` is `time.monotonic()`."""
        return self._pool.running_for(now)

    def begin_hook(self, work: Callable[[], None], seconds: float) -> PoolThread | None:
        """Have the thread that runs handlers call `work`; `None` when it is occupied.

        `seconds` is how long `work` may take.
        """
        self.start()
        return self._pool.begin(HookJob(work, seconds))

    def refuse_behind_overrun(self, now: float) -> None:
        """As the process ends: answer for what waits for a handler that is past its time."""
        self._pool.refuse_behind_overrun(now)

    def check_deadlines(self, now: float) -> None:
        """Give up handlers that are past their time; `now` is `time.monotonic()`."""
        self._pool.check_deadlines(now)

    def running(self) -> list[Running]:
        """The threads of the pool that are at work."""
        return self._pool.running()

    @property
    def is_short_of_threads(self) -> bool:
        """Whether requests wait for a thread."""
        return bool(self._pool.queue)

    def relieve(self) -> bool:
        """Replace the calling thread of the pool, which is held up by a slow client."""
        return self._pool.relieve()

    def stop(self) -> None:
        """Let the threads end behind what is queued."""
        self._is_running = False
        self._pool.stop()
        self._pool = self._new_pool()  # For a second lifespan, as test clients have them.

    # As an application of the gateway's own server.

    def handle(self, exchange: Exchange) -> None:
        """Queue an invocation for `exchange`, or refuse it; on the loop."""
        head = exchange.head
        if head is not None and head.has_controls:
            self._handle_controlled(exchange, head)
        elif not self._pool.submit(self._invocation(self._rules, exchange, self._environ_of)):
            self._refuse(exchange)

    def _handle_controlled(self, exchange: Exchange, head: "RequestHead") -> None:
        refusal = self._unserved and self._unserved(head.method, head.target)
        if refusal is not None:
            exchange.refuse(refusal)
            exchange.release()
        elif head.is_async:
            self._handle_detached(exchange)
        elif not self._pool.submit(invocation(self._rules, exchange, self._environ_of)):
            self._refuse(exchange)

    def _handle_detached(self, exchange: Exchange) -> None:
        """Accept an asynchronous invocation: its answer does not wait for the handler."""

        def make_environ(_: DetachedExchange) -> dict[str, Any]:
            return self._make(exchange)

        body = exchange.body
        if self._accept(exchange, make_environ, 0 if body is None else body.size):
            exchange.respond_soon(ACCEPTED, b"")
        else:
            exchange.refuse(self._pool.refusal_of_async())
            exchange.release()

    def _accept(
        self,
        exchange: Exchange | AsgiExchange,
        make_environ: Callable[[DetachedExchange], dict[str, Any]],
        size: int,
    ) -> bool:
        """Have it run, whatever happens; False when too many wait.  `size` is its body's."""
        detached = DetachedExchange(exchange)
        job = invocation(self._patient_rules, detached, make_environ)
        pool = self._pool
        detached.on_over = partial(pool.end_accepted, job)
        return pool.accept(job, size)

    def _refuse(self, exchange: Exchange) -> None:
        exchange.refuse(self._pool.refusal())
        exchange.release()

    def _make_environ(self, exchange: Exchange) -> dict[str, Any]:
        head = exchange.head
        assert head is not None  # What has none was refused.
        path = head.path
        request_id = exchange.request_id
        if self._address_of is not None:
            path, context = self._address_of(head, request_id)
        elif path.startswith(_PROXY_PREFIX):  # Spares the others a call.
            path, context = address(path, request_id, self._contexts)
        else:
            context = self._contexts.context(request_id)
        of_head = head.environ
        if of_head is None:
            of_head = self._head_environ(exchange.connection, head, path)
            if type(head.fields) is list:  # Of very many fields it is too large to be kept.
                head.environ = of_head
        body = exchange.body
        if body is None:
            return request_environ(of_head, BytesIO(), None, context)
        return request_environ(of_head, body.open(), body.length, context)

    def _make_exact_environ(self, exchange: Exchange) -> dict[str, Any]:
        head, connection = exchange.head, exchange.connection
        assert head is not None  # What has none was refused.
        if self._address_of is not None:
            path, context = self._address_of(head, exchange.request_id)
        else:
            path, context = address(head.path, exchange.request_id, self._contexts)
        of_head = head.environ
        if of_head is None:
            proxies = connection.site.proxies
            origin = None if proxies is None else proxies.origin(head, connection)
            of_head = exact_head_environ(
                head,
                path=path,
                client=connection.peer if origin is None else origin.client,
                host="" if origin is None else origin.host,
                handler=context.function.handler,
                is_multithread=self._pool.size > 1,
                is_multiprocess=self._is_multiprocess,
            )
            if type(head.fields) is list:
                head.environ = of_head
        return make_exact_environ(os.environ, of_head, exchange.body, context)

    def _begin_telling(self, exchange: Exchange) -> dict[str, Any]:
        environ = self._make(exchange)
        exchange.begin_invocation(environ[names.ENVIRON_CONTEXT].service)
        return environ

    def _head_environ(
        self, connection: "Connection", head: "RequestHead", path: str
    ) -> dict[str, Any]:
        proxies = connection.site.proxies
        if proxies is not None:
            return self._proxied_environ(proxies.origin(head, connection), head, path)
        shared = connection.environ
        if shared is None:
            shared = connection.environ = connection_environ(
                connection.local,
                connection.peer,
                scheme="http",
                is_multithread=self._pool.size > 1,
                is_multiprocess=self._is_multiprocess,
            )
        return head_environ(shared, head, path=path)

    def _proxied_environ(self, origin: "Origin", head: "RequestHead", path: str) -> dict[str, Any]:
        """Proxies send the requests of many clients over one connection."""
        shared = connection_environ(
            origin.server,
            origin.client,
            scheme=origin.scheme,
            is_multithread=self._pool.size > 1,
            is_multiprocess=self._is_multiprocess,
        )
        environ = head_environ(shared, head, path=path)
        if origin.host:
            environ["HTTP_HOST"] = origin.host
        return environ

    # As an ASGI application.

    async def __call__(
        self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """ASGI 3: runs the handler for `http`, the threads for `lifespan`, denies `websocket`.

        Raises:
            IncompleteResponse: the answer was begun and cannot be completed; the server cuts it.
            ValueError: the scope is of another type.
        """
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            # Before the handshake is accepted: the server answers it with 403.
            await send({"type": "websocket.close", "code": 1000, "reason": None})
        else:
            raise ValueError(f"no scope of type {scope['type']!r} is served")

    async def _live(self, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._start_hosted()
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await self._drain()
                self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _drain(self) -> None:
        """Wait for handlers that have been answered for but still run, or run detached."""
        deadline = monotonic() + _DRAIN_TIMEOUT
        while not self.is_idle and monotonic() < deadline:
            await asyncio.sleep(_SHORTEST_WATCH)

    async def _serve(
        self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        loop = asyncio.get_running_loop()
        self._start_hosted()
        self._watch(loop)
        exchange = AsgiExchange(
            self._next_request_id(),
            loop,
            self.relieve,
            self._rules.error_style,
            metadata=self._metadata,
            has_fc_fields=self._has_fc_fields,
        )
        try:
            request = HostedRequest(scope, self._names, self._limits)
            exchange.head = request.head
            body = await read_body(receive, request.head.body_limit(self._limits))
            self._submit(exchange, request, scope, body)
        except ClientDisconnected:
            return
        except Refusal as refusal:
            exchange.refuse(refusal)
        await exchange.run(receive, send)

    def _submit(
        self, exchange: AsgiExchange, request: HostedRequest, scope: "HTTPScope", body: BodyBuffer
    ) -> None:
        def make_environ(answers_to: AsgiExchange | DetachedExchange) -> dict[str, Any]:
            path, context = address(request.path, exchange.request_id, self._contexts)
            environ = request.environ(
                scope,
                path=path,
                body=body,
                context=context,
                is_multithread=self._pool.size > 1,
                is_multiprocess=self._is_multiprocess,
                variables=os.environ if self._is_exact else None,
            )
            answers_to.begin_invocation(context.service)
            return environ

        if not request.head.is_async:
            if not self._pool.submit(invocation(self._rules, exchange, make_environ)):
                raise self._pool.refusal()
        elif self._accept(exchange, make_environ, body.size):
            exchange.respond_soon(ACCEPTED, b"")
        else:
            raise self._pool.refusal_of_async()

    def _next_request_id(self) -> str:
        if self._request_ids is None:
            # Not before the first request: by now the process has forked, if it does.
            self._request_ids = RequestIds(os.urandom(SEED_SIZE)).next
        return self._request_ids()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at the handlers' deadlines every now and then, while anything runs."""
        timeout = self._rules.handler_timeout or inf
        if self._watched is loop:
            return
        self._watched = loop
        interval = max(_SHORTEST_WATCH, min(_LONGEST_WATCH, timeout / 4))

        def look() -> None:
            self.check_deadlines(monotonic())
            if self.is_idle:
                self._watched = None
            else:
                loop.call_later(interval, look)

        loop.call_later(interval, look)


def _default_contexts(handler: Callable[..., Any], handler_timeout: float) -> ContextSource:
    name = getattr(handler, "__name__", type(handler).__name__)
    return context_template(
        environ=os.environ,
        function_name=name,
        handler=f"{getattr(handler, '__module__', '')}.{name}",
        memory=_DEFAULT_MEMORY,
        timeout=ceil(handler_timeout),
        service_name="",
    )
