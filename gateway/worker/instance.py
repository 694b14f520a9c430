"""An instance of the function, from its initializer to its PreStop: a part of `app.py`."""

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
from gateway.worker.responses import is_container


class Instance:
    """The function in this worker: its hooks, and the middleware that they need."""

    def __init__(
        self,
        config: Config,
        contexts: ContextTemplate,
        error_style: ErrorStyle,
        next_request_id: Callable[[], str],
        metadata: InvocationMetadata | None,
        attend: Attend | None = None,
    ) -> None:
        """Load the hooks; `metadata` is what responses report of their invocations.

        `attend` makes the context manager around each hook, `None` for none.

        Raises:
            UsageError: a hook cannot be loaded.
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
        """Let `begin` run the hooks, instead of a new thread for each."""
        for hook in self.life.hooks:
            hook.begin = begin

    @property
    def address_of(self) -> Callable[[RequestHead, str], tuple[str, FCContext]] | None:
        """Makes path and context of a request that carries its own context; `None` if none does."""
        return None if self._platform is None else self._platform.of_request

    def stand_before(self, application: ServedApplication) -> ServedApplication:
        """`application` behind the middleware that the hooks and the profile need."""
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
                # Only Function Compute reads these errors, so the style of clients does not apply.
                error_style=FunctionCompute2(shows_stack=self._config.tracebacks),
            )
        return application

    def stand_before_gate(self, gate: Gate | None) -> Gate | None:
        """The gate for clients' requests: Function Compute's own calls pass without it."""
        if gate is None or self._platform is None:
            return gate
        return ClientGate(gate, self.life)

    def _context_of(self, exchange: Exchange) -> FCContext:
        head = exchange.head
        assert head is not None  # A request without a head was refused before.
        if self._platform is not None:
            return self._platform.of_request(head, exchange.request_id)[1]
        return address(head.path, exchange.request_id, self._contexts)[1]

    async def begin(self) -> None:
        """Run the initializer, unless the first request does so.

        Raises:
            UsageError: the initializer has failed.
        """
        if self._config.initialize == "eager":
            await self.life.initialize(self._contexts.context(self._next_request_id()))
            self.require_no_failure()

    async def end(self) -> None:
        """Run PreStop, after the last request."""
        await self.life.stop(self._contexts.context(self._next_request_id()))

    def require_no_failure(self) -> None:
        """Raises UsageError when the initializer has failed."""
        if self.life.failure is not None:
            place = self._config.place("initializer")
            raise initializer_failure(place, self._config.initializer or "", self.life.failure)
