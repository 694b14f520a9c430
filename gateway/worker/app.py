"""The composition root: settings become a worker.  The only module that wires others together."""

import asyncio
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.asgi.adapter import AsgiApplication
from gateway.asgi.lifespan import Lifespan
from gateway.code.declared_environ import port_of
from gateway.code.interface import Interface
from gateway.config import Config
from gateway.error_log.loggers import say
from gateway.errors import UsageError
from gateway.hooks.hooks import Attend
from gateway.http.connection.admission import Admission
from gateway.http.connection.connection import Connection
from gateway.http.connection.deadlines import DeadlineSweep, sweep_interval
from gateway.http.connection.shared_state import SharedState
from gateway.logs.standard_streams import prepare_standard_streams
from gateway.processes.heartbeat import beat_interval
from gateway.processes.link import Link
from gateway.sockets.descriptors import connections_allowed, occupy_standard, turned_away_allowed
from gateway.threads.main_thread import MainThread
from gateway.worker.access import new_connection, trigger
from gateway.worker.announcement import KINDS, counted
from gateway.worker.applications import asgi_application, wsgi_runner
from gateway.worker.connection_state import probe_state, shared_state, timeouts_of
from gateway.worker.exit_watchdog import leave_within, leave_without_main_thread
from gateway.worker.function import context_template_of, load_function, target_of
from gateway.worker.instance import Instance
from gateway.worker.interfaces import bridged
from gateway.worker.lasting_loop import run_loop
from gateway.worker.load import RequestLoad
from gateway.worker.logs import Logs
from gateway.worker.responses import error_style, metadata, request_ids
from gateway.worker.server import Server
from gateway.wsgi.pool_thread import job_times
from gateway.wsgi.runner import WsgiRunner
from gateway.wsgi.switch_watch import SwitchWatch

if TYPE_CHECKING:
    from gateway.logs.invocation_profile import InvocationProfile
    from gateway.logs.line_buffer import LineBuffer
    from gateway.triggers.trigger import Trigger

_MIN_EXIT_SECONDS = 1.0
"""Time for `atexit` callbacks when draining has used up its own."""


class WorkerPost(NamedTuple):
    """What a worker gets from the process that starts it."""

    sock: socket.socket
    """The listening socket."""
    on_ready: Callable[[], None]
    """Called when the worker can serve."""
    on_found: Callable[[str, Callable[..., Any]], None]
    """Called before `on_ready`, with the interface and the handler."""
    fail: Callable[[BaseException], None]
    """Ends the process because of an error, without waiting for any thread."""
    stop_listening: Callable[[], None] | None = None
    """Called when draining begins, where no other process listens on the socket."""
    link: Link | None = None
    """The link to the supervisor, if there is one."""
    log_lock: int | None = None
    """A file that workers lock while they write lines to standard output."""
    lines: "LineBuffer | None" = None
    """The buffer of lines for standard output, shared with the supervisor."""


def work(config: Config, post: WorkerPost) -> int:
    """Load the handler and serve it until the worker must end; return the exit status.

    Raises:
        UsageError: something that the user can mend keeps the worker from starting.
    """
    gate = trigger(config)  # First: the handler's code must not see the keys.
    prepare_standard_streams()
    # Before the handler's code runs, which may print.
    logs = Logs(config, context_template_of(config).function.name, post.log_lock, post.lines)
    with logs:
        handler, interface = load_function(config, port_of(post.sock))
        post.on_found(interface, handler)
        instance = _instance(config, logs.attend)
        return _run_worker(config, handler, interface, instance, post, logs, gate=gate)


def check(config: Config) -> str:
    """Load what `serve` would serve; return a line that describes it.

    Raises:
        UsageError: `serve` could not start with these settings.
    """
    trigger(config)
    handler, interface = load_function(config, None if config.unix else config.port)
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    threads = counted(config.threads, "thread")
    return (
        f"{target_of(config)}: {KINDS[interface]} {name} of {getattr(handler, '__module__', '?')}; "
        f"{threads}, queue of {config.queue}, body up to {config.max_body} bytes{_instance(config)}"
    )


def _instance(config: Config, attend: Attend | None = None) -> Instance:
    """Load the hooks, after the handler and from the same folder."""
    return Instance(
        config,
        context_template_of(config),
        error_style(config),
        request_ids(config),
        metadata(config, target_of(config)),
        attend,
    )


def _run_worker(
    config: Config,
    handler: Callable[..., Any],
    interface: Interface,
    instance: Instance,
    post: WorkerPost,
    logs: Logs,
    *,
    gate: "Trigger | None",
) -> int:
    profile = _profile(config, interface)
    left, status = 0.0, 0
    # A terminal sends SIGINT to all processes; the supervisor handles it.
    signals = (signal.SIGTERM,) if post.link else (signal.SIGTERM, signal.SIGINT)
    main_thread = None if interface == "asgi" or config.threads > 1 else MainThread(signals)

    serve = partial(
        _serve, config, instance, logs, profile, post,
        gate=gate, signals=signals, main_thread=main_thread,
    )  # fmt: skip

    async def main() -> None:
        nonlocal left, status
        if interface != "asgi":
            function = bridged(config, handler, interface)
            runner = wsgi_runner(config, function, instance, logs.function, profile, main_thread)
            SwitchWatch(runner.running, config.switch_interval).start(asyncio.get_running_loop())
            if main_thread is not None:
                main_thread.attend_signals(asyncio.get_running_loop())
                instance.run_hooks_by(runner.begin_hook)
            try:
                left, status = await serve(runner)
            finally:
                runner.stop()
            leave_within(left, status)
            return
        lifespan = Lifespan(handler)
        await lifespan.startup()
        try:
            application = asgi_application(config, handler, lifespan, instance, logs.function)
            left, status = await serve(application)
        finally:
            await lifespan.shutdown()
        leave_within(left, status)

    def run() -> None:
        try:
            run_loop(main)
        finally:
            if profile is not None and config.profile_invocations != "off":
                say(profile.report(config.profile_invocations).removesuffix("\n"))

    if main_thread is None:
        run()
    else:

        def run_beside() -> None:
            with logs:  # Closed here as well: the main thread may be stuck.
                run()

        def on_stuck(failure: BaseException | None) -> None:
            if failure is not None:
                post.fail(failure)
            leave_without_main_thread(left, status, main_thread.has_left)

        main_thread.run_beside(run_beside, on_stuck)
    return status


def _profile(config: Config, interface: str) -> "InvocationProfile | None":
    if config.profile_invocations == "off":
        return None
    # Its imports from the standard library take 10 ms.
    from gateway.logs.invocation_profile import InvocationProfile  # noqa: PLC0415

    if interface == "asgi":
        raise UsageError(
            "--profile-invocations measures WSGI handlers, and this is an ASGI application"
        )
    return InvocationProfile(job_times)


async def _serve(
    config: Config,
    instance: Instance,
    logs: Logs,
    profile: "InvocationProfile | None",
    post: WorkerPost,
    function: WsgiRunner | AsgiApplication,
    *,
    gate: "Trigger | None",
    signals: tuple[int, ...],
    main_thread: MainThread | None,
) -> tuple[float, int]:
    """Initialise, and serve until the server ends; return the seconds left for the process to end,
    and its exit status.

    Raises:
        UsageError: the initializer has failed, and there is no supervisor to replace the worker.
    """
    await instance.begin()
    application = instance.stand_before(function)
    timeouts = timeouts_of(config)
    observers = [log.add for log in (logs.access, profile) if log is not None]
    site = shared_state(
        config, application, timeouts, metadata=instance.metadata, observers=observers,
        gate=instance.stand_before_gate(gate),
        cross_origin=None if gate is None else gate.cors,
    )  # fmt: skip
    if gate is not None:
        gate.start(site.loop)
    allowed = connections_allowed(config.max_connections)
    admission = Admission(
        site,
        allowed,
        max_turned_away=turned_away_allowed(allowed),
        new_connection=new_connection(
            config, Connection if profile is None else profile.connection
        ),
    )
    checks: list[Callable[[float], None]] = [
        admission.check,
        application.check_deadlines,
        lambda _: occupy_standard(),
        lambda _: logs.flush(),
    ]
    counts = None if post.link is None else post.link.counts
    load = None
    if main_thread is not None and isinstance(function, WsgiRunner):
        load = RequestLoad(site.connections, function, counts)
    sweep = DeadlineSweep(
        site,
        sweep_interval(timeouts, config.handler_timeout, config.queue_timeout, config.queue_delay),
        checks,
    )
    server = Server(
        site,
        application,
        sweep,
        admission,
        drain_timeout=config.drain_timeout,
        probe=probe_state(config, timeouts),
        is_alone=post.link is None,
        counts=counts,
        load=load,
        stop_listening=post.stop_listening,
        on_closed=None if post.link is None else post.link.tell_closed,
        farewell=None if instance.life.pre_stop is None else instance.end,
    )
    if post.link is not None:
        interval = beat_interval(config.worker_timeout)
        post.link.start(
            site.loop,
            server,
            lambda: application.needs_replacement or not server.can_serve_new(),
            interval,
        )
    else:
        instance.life.on_failure = partial(server.drain, "the initializer has failed")
    if main_thread is not None:
        main_thread.on_signal = server.on_signal
        main_thread.on_late_signal = server.on_late_signal
        signals = ()
        assert isinstance(function, WsgiRunner)
        sweep.add(_replacement_after_overrun(server, site, function, post.link))
    await server.run(post.sock, post.on_ready, signals)
    if post.link is None:
        instance.require_no_failure()
    return max(_MIN_EXIT_SECONDS, server.time_left), int(server.has_failed)


def _replacement_after_overrun(
    server: Server, site: SharedState, runner: WsgiRunner, link: Link | None
) -> Callable[[float], None]:
    """A check that replaces a worker whose only thread is stuck in a handler.

    The worker accepts nothing more, and new connections wait for its replacement.  Without a
    supervisor they wait for this worker: in a debugger the handler goes on.
    """

    def check(now: float) -> None:
        if link is not None and runner.needs_replacement and not site.is_draining:
            link.ask_for_replacement()
            server.drain("a handler is past its time", takes_queue=False)
        if site.is_draining:
            runner.refuse_behind_overrun(now)

    return check
