"""Function Compute's calls to a container: invocations, and the hooks of its life.

`X-Fc-Control-Path` names the kind of a call (FC, custom runtimes, "Specifications" and "Function
instance lifecycle hooks").  `/initialize`, `/pre-freeze` and `/pre-stop` run the gateway's hook of
that name: 200 with what it returned, or 404 with the error.  Everything else is an invocation for
the application: `/http-invoke`, `/invoke`, a call without the field, and a call for a hook that the
gateway does not have, because the application may have its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from gateway.container.platform_context import PlatformContexts, platform_fields
from gateway.container.verdict import FailedHead
from gateway.fc import names
from gateway.fc.context import FCContext
from gateway.hooks.hooks import Outcome
from gateway.hooks.life_cycle import LifeCycle
from gateway.hooks.middleware import Middleware
from gateway.http.answers.error_style import ErrorStyle, Response
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import Deferral, Gate
from gateway.http.message.head import RequestHead
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead

if TYPE_CHECKING:
    from gateway.http.connection.shared_state import ServedApplication

_FIELD: Final = names.CONTROL_PATH.lower().encode()

_DONE: Final = ResponseHead.of(status_of(200), [("Content-Type", "application/octet-stream")])

_Run = Callable[[FCContext], Awaitable[Outcome]]


def _hooks_of(life: LifeCycle) -> dict[bytes, _Run]:
    """The hooks that the gateway has, by control path."""
    hooks: dict[bytes, _Run] = {}
    if life.initializer is not None:
        hooks[b"/initialize"] = life.initialize
    if life.pre_freeze is not None:
        hooks[b"/pre-freeze"] = life.freeze
    if life.pre_stop is not None:
        hooks[b"/pre-stop"] = life.stop
    return hooks


def _control_path(head: RequestHead) -> bytes:
    return platform_fields(head).get(_FIELD, b"")


class ClientGate:
    """A gate for clients only: Function Compute calls hooks without credentials."""

    def __init__(self, gate: Gate, life: LifeCycle) -> None:
        self._gate = gate
        self._hooks = _hooks_of(life)

    def __repr__(self) -> str:
        return f"<ClientGate {self._gate!r}>"

    def check(self, exchange: Exchange, *, may_defer: bool) -> Response | Deferral | None:
        """See `http.connection.gate.Gate`."""
        assert exchange.head is not None  # A request without a head has been refused.
        if _control_path(exchange.head) in self._hooks:
            return None
        return self._gate.check(exchange, may_defer=may_defer)


class ContainerControl(Middleware):
    """Runs the hooks that Function Compute calls, before the application."""

    def __init__(
        self,
        application: "ServedApplication",
        life: LifeCycle,
        *,
        contexts: PlatformContexts,
        error_style: ErrorStyle,
    ) -> None:
        """`error_style` makes the bodies of responses for hooks that fail."""
        super().__init__(application)
        self._contexts = contexts
        self._error_style = error_style
        self._hooks = _hooks_of(life)
        self._running: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<ContainerControl {self._application!r} {len(self._running)} hooks running>"

    def handle(self, exchange: Exchange) -> None:
        """Run the hook that the call names, or pass `exchange` to the application."""
        head = exchange.head
        assert head is not None  # A request without a head has been refused.
        run = self._hooks.get(_control_path(head))
        if run is None:
            self._application.handle(exchange)
            return
        _, context = self._contexts.of_request(head, exchange.request_id)
        task = asyncio.get_running_loop().create_task(self._run(exchange, run, context))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, exchange: Exchange, run: _Run, context: FCContext) -> None:
        outcome = await run(context)
        if outcome.error is None:
            exchange.respond_soon(_DONE, outcome.body)
        else:
            head, body = self._error_style.failure(outcome.error, exchange.request_id)
            exchange.respond_soon(FailedHead.of(status_of(404), head.fields), body)
        exchange.release()

    @property
    def is_idle(self) -> bool:
        """Whether no hook runs and the application is idle."""
        return not self._running and super().is_idle
