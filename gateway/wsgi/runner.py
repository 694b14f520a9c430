"""Runs a WSGI handler in a pool of threads, for the connections of the gateway's own server.

Theory of operation: each request becomes an `Invocation`, which the pool queues.  `WsgiBridge`
submits requests of another ASGI server in the same way, with an exchange that speaks ASGI's events.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from gateway.fc import names
from gateway.fc.context import ContextSource, FCContext, context_template
from gateway.fc.metadata import InvocationMetadata
from gateway.http.answers.api_path import Unserved
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2
from gateway.http.connection.detached import ACCEPTED, DetachedExchange
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.invocation_log import FunctionLog
from gateway.limits import MIB, Limits
from gateway.threads.main_thread import MainThread
from gateway.wsgi.asgi_exchange import AsgiExchange
from gateway.wsgi.exchange_environ import ExchangeEnviron
from gateway.wsgi.hook_job import HookJob
from gateway.wsgi.invocation import Invocation, Rules
from gateway.wsgi.logged_invocation import LoggedInvocation, invocation
from gateway.wsgi.pool import ThreadPool
from gateway.wsgi.pool_thread import PoolThread
from gateway.wsgi.switch_watch import Running

if TYPE_CHECKING:
    from gateway.http.message.head import RequestHead

_DEFAULT_MEMORY_MB: Final = 512
"""`context.function.memory` by default.  The gateway does not enforce it."""


class WsgiRunner:
    """An application for the gateway's own server: see `http.connection.shared_state`."""

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
        function_log: FunctionLog | None = None,
        is_multiprocess: bool = False,
        lenient_start_response: bool = False,
        main_thread: MainThread | None = None,
        unserved: Unserved | None = None,
    ) -> None:
        """Options that `WsgiBridge` has too are documented there.

        `address_of` makes path and context from head and request id, where requests themselves
        name the function that they invoke.  With `metadata` responses describe their invocations.
        With `main_thread`, and `threads` 1, handlers run in the main thread.  `unserved` refuses
        requests for operations of Function Compute's API.
        """
        self.rules = Rules(
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
        self._patient_rules = self.rules.without_haste()
        """For asynchronous invocations, which run however long they wait."""
        self.contexts = contexts or _default_contexts(handler, handler_timeout)
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
            on_work=self._note_work,
        )
        self._pool = self._new_pool()
        self._is_running = False
        self._unserved = unserved
        environ = ExchangeEnviron(
            self.contexts,
            address_of,
            is_multithread=threads > 1,
            is_multiprocess=is_multiprocess,
        )
        # Bound methods: binding one for each request costs 1 % of a request.
        self._make_environ = environ.make_exact if exact_environ else environ.make
        self._environ_of = self._make_environ if metadata is None else self._begin_invocation
        # For requests without control fields.
        self._invocation = (
            LoggedInvocation if function_log is not None and function_log.is_on else Invocation
        )

    def __repr__(self) -> str:
        return f"<WsgiRunner {self.rules.handler!r} {self._pool!r}>"

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued or running."""
        return self._pool.is_idle

    @property
    def needs_replacement(self) -> bool:
        """Whether so many handlers never returned that the process should be replaced."""
        return self._pool.needs_replacement

    @property
    def is_short_of_threads(self) -> bool:
        """Whether requests wait for a thread."""
        return bool(self._pool.queue)

    @property
    def load(self) -> int:
        """How many requests are queued or running."""
        return self._pool.load

    def start(self) -> None:
        """Start the threads, on the loop that will call `handle`, unless they run."""
        if not self._is_running:
            self._is_running = True
            self._pool.start(asyncio.get_running_loop().call_soon)

    def start_for_any_loop(self) -> None:
        """Start the threads, unless they run, without a loop: a test client has many."""
        if not self._is_running:
            self._is_running = True
            self._pool.start(None)

    def stop(self) -> None:
        """Let the threads end after they have run what is queued."""
        self._is_running = False
        self._pool.stop()
        self._pool = self._new_pool()  # For a second lifespan: test clients start several.

    def running_for(self, now: float) -> float:
        """Seconds since the oldest running request began; `now` is `time.monotonic()`."""
        return self._pool.running_for(now)

    def running(self) -> list[Running]:
        """The pool's threads that run a job."""
        return self._pool.running()

    def begin_hook(self, work: Callable[[], None], seconds: float) -> PoolThread | None:
        """Have the thread that runs handlers call `work`; `None` when it is occupied.

        `seconds` is how long `work` may take.
        """
        self.start()
        return self._pool.begin(HookJob(work, seconds))

    def check_deadlines(self, now: float) -> None:
        """Give up handlers that are past their time; `now` is `time.monotonic()`."""
        self._pool.check_deadlines(now)

    def refuse_behind_overrun(self, now: float) -> None:
        """Refuse requests that wait for a handler that is past its time: the process ends."""
        self._pool.refuse_behind_overrun(now)

    def relieve(self) -> bool:
        """Replace the calling thread of the pool, which waits for a slow client."""
        return self._pool.relieve()

    def _note_late(self) -> None:
        self._pool.refusals.note_late()

    def _note_work(self) -> None:
        if self.on_work is not None:
            self.on_work()

    # Requests of the gateway's own server.

    def handle(self, exchange: Exchange) -> None:
        """Queue an invocation for `exchange`, or refuse it; on the loop."""
        head = exchange.head
        if head is not None and head.has_controls:
            self._handle_controlled(exchange, head)
        elif not self._pool.submit(self._invocation(self.rules, exchange, self._environ_of)):
            self._refuse(exchange)

    def _handle_controlled(self, exchange: Exchange, head: "RequestHead") -> None:
        refusal = self._unserved and self._unserved(head.method, head.target)
        if refusal is not None:
            exchange.refuse(refusal)
            exchange.release()
        elif head.is_async:
            self._handle_detached(exchange)
        elif not self._pool.submit(invocation(self.rules, exchange, self._environ_of)):
            self._refuse(exchange)

    def _handle_detached(self, exchange: Exchange) -> None:
        """Accept an asynchronous invocation: its response does not wait for the handler."""

        def make_environ(_: DetachedExchange) -> dict[str, Any]:
            return self._make_environ(exchange)

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
        """Queue an asynchronous invocation; False when too many wait.

        `size` is the size of its body in bytes.
        """
        detached = DetachedExchange(exchange)
        job = invocation(self._patient_rules, detached, make_environ)
        pool = self._pool
        detached.on_over = partial(pool.end_accepted, job)
        return pool.accept(job, size)

    def _refuse(self, exchange: Exchange) -> None:
        exchange.refuse(self._pool.refusal())
        exchange.release()

    def _begin_invocation(self, exchange: Exchange) -> dict[str, Any]:
        environ = self._make_environ(exchange)
        exchange.begin_invocation(environ[names.ENVIRON_CONTEXT].service)
        return environ

    # Requests of another server.

    def submit(
        self,
        exchange: AsgiExchange,
        make_environ: Callable[[AsgiExchange | DetachedExchange], dict[str, Any]],
        size: int,
    ) -> None:
        """Queue an invocation for a request that another server has read.

        `size` is the size of its body in bytes.

        Raises:
            QueueFull: too many requests wait.
        """
        head = exchange.head
        if head is None or not head.is_async:
            if not self._pool.submit(invocation(self.rules, exchange, make_environ)):
                raise self._pool.refusal()
        elif self._accept(exchange, make_environ, size):
            exchange.respond_soon(ACCEPTED, b"")
        else:
            raise self._pool.refusal_of_async()


def _default_contexts(handler: Callable[..., Any], handler_timeout: float) -> ContextSource:
    name = getattr(handler, "__name__", type(handler).__name__)
    return context_template(
        environ=os.environ,
        function_name=name,
        handler=f"{getattr(handler, '__module__', '')}.{name}",
        memory=_DEFAULT_MEMORY_MB,
        timeout=ceil(handler_timeout),
        service_name="",
    )
