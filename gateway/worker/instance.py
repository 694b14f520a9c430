"""An instance of the function, wired: a worker from its initializer to its PreStop.

Beside `app.py`, which wires the worker that it lives in.
"""

from collections.abc import Callable

from gateway.code.load_errors import initializer_failure
from gateway.code.loading import load_hook
from gateway.config import Config
from gateway.container.control import ClientGate, ContainerControl
from gateway.container.platform_context import PlatformContexts
from gateway.fc.context import ContextTemplate, FCContext
from gateway.fc.metadata import InvocationMetadata
from gateway.fc.proxy_path import address
from gateway.hooks.hooks import (
    INITIALIZE,
    PRE_FREEZE,
    PRE_STOP,
    Attend,
    Begin,
    Hook,
)
from gateway.hooks.lazy_initialization import LazyInitialization
from gateway.hooks.life_cycle import LifeCycle
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import Gate
from gateway.http.connection.shared_state import ServedApplication
from gateway.http.message.head import RequestHead
from gateway.worker.answering import is_container


class Instance:
    """The function in this worker: its hooks, and what stands before its application for them."""

    def __init__(
        self,
        config: Config,
        contexts: ContextTemplate,
        error_style: ErrorStyle,
        next_request_id: Callable[[], str],
        metadata: InvocationMetadata | None,
        attend: Attend | None = None,
    ) -> None:
        """Load the hooks; `metadata` is what answers tell of their invocations.

        `attend` is entered around each hook; `None`: nothing is.

        Raises:
            UsageError: one of them cannot be loaded.
        """
        self.metadata = metadata
        self._config = config
        self._contexts = contexts
        self._error_style = error_style
        self._next_request_id = next_request_id
        self._platform = PlatformContexts(contexts) if is_container(config) else None

        def hook(phase: str, option: str, target: str | None, timeout: float) -> Hook | None:
            if target is None:
                return None
            function = load_hook(target, config.place(option))
            return Hook(phase, function, name=target, timeout=timeout, attend=attend)

        self.life = LifeCycle(
            initializer=hook(
                INITIALIZE, "initializer", config.initializer, config.initializer_timeout
            ),
            pre_freeze=hook(PRE_FREEZE, "pre_freeze", config.pre_freeze, config.pre_freeze_timeout),
            pre_stop=hook(PRE_STOP, "pre_stop", config.pre_stop, config.pre_stop_timeout),
        )

    def __str__(self) -> str:
        return "".join(
            f"; {hook.phase} by {hook.name} within {hook.timeout:g} s" for hook in self.life.hooks
        )

    def run_hooks_by(self, begin: Begin) -> None:
        """Have `begin` give hooks their thread, in place of one each."""
        for hook in self.life.hooks:
            hook.begin = begin

    @property
    def address_of(self) -> Callable[[RequestHead, str], tuple[str, FCContext]] | None:
        """What makes path and context of a request that tells of its invocation; `None`: none
        does."""
        return None if self._platform is None else self._platform.of_request

    def stand_before(self, application: ServedApplication) -> ServedApplication:
        """The application that is served: `application`, behind what the hooks ask for."""
        if not self.life.is_ready:
            application = LazyInitialization(
                application,
                self.life,
                context_of=self._context_of,
                error_style=self._error_style,
                limit_waiting=self._config.threads + self._config.queue,
            )
        if self._platform is not None:
            application = ContainerControl(
                application,
                self.life,
                contexts=self._platform,
                # Who reads it is Function Compute, whatever clients are told.
                error_style=FunctionCompute2(shows_stack=self._config.tracebacks),
            )
        return application

    def stand_before_gate(self, gate: Gate | None) -> Gate | None:
        """The gate that is asked: `gate`, but for what Function Compute calls for by itself."""
        if gate is None or self._platform is None:
            return gate
        return ClientGate(gate, self.life)

    def _context_of(self, exchange: Exchange) -> FCContext:
        head = exchange.head
        assert head is not None  # What has none was refused.
        if self._platform is not None:
            return self._platform.of_request(head, exchange.request_id)[1]
        return address(head.path, exchange.request_id, self._contexts)[1]

    async def begin(self) -> None:
        """Initialise, unless that is left to the first request.

        Raises:
            UsageError: the initializer has failed.
        """
        if self._config.initialize == "eager":
            await self.life.initialize(self._contexts.context(self._next_request_id()))
            self.require_no_failure()

    async def end(self) -> None:
        """Stop, behind the last request."""
        await self.life.stop(self._contexts.context(self._next_request_id()))

    def require_no_failure(self) -> None:
        """Raises UsageError when the initializer has failed."""
        if self.life.failure is not None:
            place = self._config.place("initializer")
            raise initializer_failure(place, self._config.initializer or "", self.life.failure)
