"""A WSGI handler as an ASGI 3 application, for any ASGI server and middleware."""

import asyncio
import os
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from gateway.errors import ClientDisconnected, Refusal
from gateway.fc.context import ContextSource
from gateway.fc.metadata import InvocationMetadata
from gateway.fc.proxy_path import address
from gateway.fc.request_ids import SEED_SIZE, RequestIds
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2
from gateway.http.body.body import BodyBuffer
from gateway.http.connection.detached import DetachedExchange
from gateway.http.connection.invocation_log import FunctionLog
from gateway.http.connection.shared_state import is_withheld
from gateway.http.message.fields import FieldNames
from gateway.limits import MIB, Limits
from gateway.wsgi.asgi_exchange import AsgiExchange
from gateway.wsgi.asgi_request import AsgiRequest, read_body
from gateway.wsgi.runner import WsgiRunner

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

    from gateway.http.message.head import RequestHead

_MAX_WATCH_SECONDS: Final = 0.25
_MIN_WATCH_SECONDS: Final = 0.02
"""Bounds of the interval at which handlers' deadlines are checked."""

_DRAIN_TIMEOUT: Final = 30.0
"""Seconds that the end of a lifespan waits for handlers that still run."""


class WsgiBridge:
    """Runs a WSGI handler in a pool of threads, behind any ASGI 3 server.

    The threads start with the lifespan, or with the first request where the server has no lifespan.
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
        exact_environ: bool = False,
        metadata: InvocationMetadata | None = None,
        has_fc_fields: bool = True,
        next_request_id: Callable[[], str] | None = None,
        function_log: FunctionLog | None = None,
        is_multiprocess: bool = False,
        lenient_start_response: bool = False,
    ) -> None:
        """`handler` is called in up to `threads` threads at once.

        `limit_queue` requests may wait for a thread, each for `queue_timeout` seconds, and in a
        lasting overload for `queue_delay` seconds (`wsgi.expected_wait`).  As many asynchronous
        invocations may wait besides, with `async_memory` bytes in all.  A handler may run for
        `handler_timeout` seconds; 0 is for ever.

        `error_style` makes the responses to requests that are refused or fail.  `style_of` selects
        the style for a request whose invocation fails, where requests differ in it.  `contexts`
        makes `environ["fc.context"]`; by default it names the handler, and takes credentials from
        the process environment.  With `exact_environ` environ is Function Compute's, also where
        that breaks frameworks.

        With `metadata` responses describe their invocations; without `has_fc_fields` they have no
        fields `X-Fc-*`.  `next_request_id` makes the ids of requests.  `function_log` collects what
        handlers print and log.

        `is_multiprocess` is `wsgi.multiprocess`: whether other processes may call the same handler
        at the same time.  With `lenient_start_response` handlers may call `start_response` again
        without `exc_info`, as long as nothing has been sent.
        """
        self._runner = WsgiRunner(
            handler,
            threads=threads,
            limit_queue=limit_queue,
            queue_timeout=queue_timeout,
            queue_delay=queue_delay,
            async_memory=async_memory,
            handler_timeout=handler_timeout,
            limits=limits,
            error_style=error_style,
            style_of=style_of,
            contexts=contexts,
            function_log=function_log,
            lenient_start_response=lenient_start_response,
        )
        self._limits = limits
        self._is_multithread = threads > 1
        self._is_multiprocess = is_multiprocess
        self._is_exact = exact_environ
        self._metadata = metadata
        self._has_fc_fields = has_fc_fields
        self._next_id = next_request_id
        self._names = FieldNames(is_withheld)
        self._watched: asyncio.AbstractEventLoop | None = None
        """The loop on which handlers' deadlines are checked."""

    def __repr__(self) -> str:
        return f"<WsgiBridge {self._runner!r}>"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running."""
        return self._runner.is_idle

    def stop(self) -> None:
        """Let the threads end after they have run what is queued."""
        self._runner.stop()

    async def __call__(
        self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Run the handler for `http`, the threads for `lifespan`, and deny `websocket`.

        Raises:
            IncompleteResponse: the response was begun and cannot be completed; the server cuts it.
            ValueError: the scope is of another type.
        """
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            # Closed before it accepts the handshake, the server responds with 403.
            await send({"type": "websocket.close", "code": 1000, "reason": None})
        else:
            raise ValueError(f"no scope of type {scope['type']!r} is served")

    async def _run_lifespan(self, receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._runner.start_for_any_loop()
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await self._drain()
                self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _drain(self) -> None:
        """Wait for handlers that run without a client: past their time, or asynchronous."""
        deadline = monotonic() + _DRAIN_TIMEOUT
        while not self.is_idle and monotonic() < deadline:
            await asyncio.sleep(_MIN_WATCH_SECONDS)

    async def _serve(
        self, scope: "HTTPScope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        loop = asyncio.get_running_loop()
        runner = self._runner
        runner.start_for_any_loop()
        self._watch(loop)
        exchange = AsgiExchange(
            self._next_request_id(),
            loop,
            runner.relieve,
            runner.rules.error_style,
            metadata=self._metadata,
            has_fc_fields=self._has_fc_fields,
        )
        try:
            request = AsgiRequest(scope, self._names, self._limits)
            exchange.head = request.head
            body = await read_body(receive, request.head.body_limit(self._limits))
            self._submit(exchange, request, scope, body)
        except ClientDisconnected:
            return
        except Refusal as refusal:
            exchange.refuse(refusal)
        await exchange.run(receive, send)

    def _submit(
        self, exchange: AsgiExchange, request: AsgiRequest, scope: "HTTPScope", body: BodyBuffer
    ) -> None:
        def make_environ(responder: AsgiExchange | DetachedExchange) -> dict[str, Any]:
            path, context = address(request.path, exchange.request_id, self._runner.contexts)
            environ = request.environ(
                scope,
                path=path,
                body=body,
                context=context,
                is_multithread=self._is_multithread,
                is_multiprocess=self._is_multiprocess,
                variables=os.environ if self._is_exact else None,
            )
            responder.begin_invocation(context.service)
            return environ

        self._runner.submit(exchange, make_environ, body.size)

    def _next_request_id(self) -> str:
        if self._next_id is None:
            # Made with the first request: a server forks its workers before.
            self._next_id = RequestIds(os.urandom(SEED_SIZE)).next
        return self._next_id()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Check handlers' deadlines now and then, while anything runs."""
        timeout = self._runner.rules.handler_timeout or inf
        if self._watched is loop:
            return
        self._watched = loop
        interval = max(_MIN_WATCH_SECONDS, min(_MAX_WATCH_SECONDS, timeout / 4))

        def check() -> None:
            self._runner.check_deadlines(monotonic())
            if self.is_idle:
                self._watched = None
            else:
                loop.call_later(interval, check)

        loop.call_later(interval, check)
