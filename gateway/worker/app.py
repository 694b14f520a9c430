"""The composition root: settings become a worker.  The only module that wires others together."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.asgi.adapter import AsgiApplication
from gateway.asgi.lifespan import Lifespan
from gateway.code.declared_environ import declare, port_of
from gateway.code.environment import put_in_force
from gateway.code.interface import Interface, check_interface, detect_interface, doubt, is_in_doubt
from gateway.code.loading import load, naming
from gateway.code.namesake import admit
from gateway.config import Config
from gateway.error_log.loggers import logger, say
from gateway.errors import UsageError
from gateway.fc.context import ContextTemplate, context_template
from gateway.hooks.hooks import Attend
from gateway.http.answers.api_path import unserved
from gateway.http.body.body import BodyBudget
from gateway.http.connection.admission import Admission
from gateway.http.connection.connection import Connection
from gateway.http.connection.deadlines import DeadlineSweep, sweep_interval
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.limits import Limits
from gateway.logs.function_log import FunctionLog
from gateway.logs.standard_streams import prepare_standard_streams
from gateway.processes.heartbeat import beat_interval
from gateway.processes.link import Link
from gateway.sockets.descriptors import connections_allowed, occupy_standard, turned_away_allowed
from gateway.threads.main_thread import MainThread
from gateway.worker.announcement import DEMO_TARGET, counted
from gateway.worker.answering import error_style, exchange_type, is_container, metadata, request_ids
from gateway.worker.entrance import new_connection, proxies, trigger
from gateway.worker.exit_watchdog import leave_within
from gateway.worker.instance import Instance
from gateway.worker.interfaces import KINDS, Bridged, bridged
from gateway.worker.lasting_loop import run_loop
from gateway.worker.liveness import Trial
from gateway.worker.load import Load
from gateway.worker.logs import Logs
from gateway.worker.server import Server
from gateway.wsgi.bridge import WsgiBridge
from gateway.wsgi.pool_thread import job_times
from gateway.wsgi.switch_watch import SwitchWatch

if TYPE_CHECKING:
    from gateway.logs.invocation_profile import InvocationProfile
    from gateway.logs.line_buffer import LineBuffer
    from gateway.triggers.trigger import Trigger

log = logger("gateway")

_LEAST_LEAVE = 1.0
"""Seconds for what is registered with `atexit`, when draining has taken all its time."""


class Post(NamedTuple):
    """What a worker is given to serve at."""

    sock: socket.socket
    """Where connections come."""
    on_ready: Callable[[], None]
    """Called once requests are served."""
    on_found: Callable[[str, Callable[..., Any]], None]
    """Called before, with the interface and the handler that speaks it."""
    fail: Callable[[BaseException], None]
    """Ends the process because of an error, without waiting for any thread."""
    stop_listening: Callable[[], None] | None = None
    """Called before the last requests, where nobody else listens at the socket."""
    link: Link | None = None
    """To the supervisor, if there is one."""
    log_lock: int | None = None
    """A file that all workers lock while they write lines to standard output."""
    lines: "LineBuffer | None" = None
    """Where lines for it wait, shared with the supervisor."""


def work(config: Config, post: Post) -> int:
    """Load the handler and serve it until told to stop; the exit status.

    Raises:
        UsageError: something that the user can mend keeps the worker from starting.
    """
    gate = trigger(config)  # First: the handler's code is not to see the keys.
    prepare_standard_streams()
    # Before that runs for the first time: it may print.
    logs = Logs(config, _contexts(config).function.name, post.log_lock, post.lines)
    try:
        handler, interface = _load(config, port_of(post.sock))
        post.on_found(interface, handler)
        instance = _instance(config, logs.attend)
        return _run_worker(config, handler, interface, instance, post, logs, gate=gate)
    except BaseException:
        logs.withdraw()  # What is told of it is the gateway's.
        raise
    finally:
        logs.close()


def check(config: Config) -> str:
    """Load what `serve` would serve, and say in a line what was found.

    Raises:
        UsageError: as `serve` would.
    """
    trigger(config)
    handler, interface = _load(config, None if config.unix else config.port)
    name = getattr(handler, "__qualname__", type(handler).__qualname__)
    threads = counted(config.threads, "thread")
    return (
        f"{_target(config)}: {KINDS[interface]} {name} of {getattr(handler, '__module__', '?')}; "
        f"{threads}, queue of {config.queue}, body up to {config.max_body} bytes{_instance(config)}"
    )


def _target(config: Config) -> str:
    return config.target or DEMO_TARGET


def _load(config: Config, port: int | None) -> tuple[Callable[..., Any], Interface]:
    """Import the handler from the code folder; what it is and what it speaks.

    `port` is where requests will come; `None`: not to a port.
    """
    folder = config.chdir or Path()
    try:
        os.chdir(folder)
        code_folder = str(Path.cwd())  # Fails where the current folder has been removed.
    except OSError as error:
        raise UsageError(
            f"--chdir {folder}: {error.strerror}; name the folder of the handler"
        ) from error
    if code_folder in sys.path:
        sys.path.remove(code_folder)
    sys.path.insert(0, code_folder)
    for name in admit(code_folder):
        logging.getLogger("gateway").warning(
            "gateway.%s is the gateway's own, not that of the code in %s; rename the code's",
            *(name, code_folder),
        )
    declare(os.environ, code_folder=code_folder, contexts=_contexts(config), port=port)
    put_in_force(config.environment, code_folder)
    with naming(config.places.get("target")):
        handler = load(_target(config))
        if config.interface == "auto":
            if is_in_doubt(handler):
                log.warning("%s: %s", _target(config), doubt(handler))
            return handler, detect_interface(handler)
        if config.interface == "fc-event" and config.target is None:
            raise UsageError("--interface fc-event needs a handler; name it, as in index.handler")
        check_interface(handler, config.interface)
        return handler, config.interface


def _instance(config: Config, attend: Attend | None = None) -> Instance:
    """Its hooks are loaded behind the handler, from the same folder."""
    return Instance(
        config,
        _contexts(config),
        error_style(config),
        request_ids(config),
        metadata(config, _target(config)),
        attend,
    )


def _limits(config: Config) -> Limits:
    return Limits(
        max_header_bytes=config.max_header_bytes,
        max_header_fields=config.max_header_fields,
        max_path_bytes=config.max_path_bytes,
        max_body=config.max_body,
        max_async_body=config.max_async_body,
        max_response_header_bytes=config.max_response_header_bytes,
        body_buffer=config.body_buffer,
    )


def _contexts(config: Config) -> ContextTemplate:
    target = _target(config)
    return context_template(
        environ=os.environ,
        function_name=config.function_name or target.replace(":", ".").split(".")[0],
        handler=target,
        memory=config.function_memory,
        timeout=ceil(config.handler_timeout),  # Whole seconds; 0 would say that there is none.
        service_name=config.service_name,
        qualifier=config.qualifier,
        region=config.region,
        account_id=config.account_id,
        log_project=config.log_project,
        log_store=config.log_store,
    )


def _run_worker(
    config: Config,
    handler: Callable[..., Any],
    interface: Interface,
    instance: Instance,
    post: Post,
    logs: Logs,
    *,
    gate: "Trigger | None",
) -> int:
    profile = _profile(config, interface)
    status = 0
    # A terminal sends SIGINT to all processes: it is the supervisor's.
    signals = (signal.SIGTERM,) if post.link else (signal.SIGTERM, signal.SIGINT)
    main_thread = None if interface == "asgi" or config.threads > 1 else MainThread(signals)

    serve = partial(
        _serve, config, instance, logs, profile, post,
        gate=gate, signals=signals, main_thread=main_thread,
    )  # fmt: skip

    async def main() -> None:
        nonlocal status
        if interface != "asgi":
            function = bridged(config, handler, interface)
            bridge = _bridge(config, function, instance, logs.function, profile, main_thread)
            SwitchWatch(bridge.running, config.switch_interval).start(asyncio.get_running_loop())
            if main_thread is not None:
                main_thread.attend_signals(asyncio.get_running_loop())
                instance.run_hooks_by(bridge.begin_hook)
            try:
                left, status = await serve(bridge)
            finally:
                bridge.stop()
            leave_within(left, status)
            return
        lifespan = Lifespan(handler)
        await lifespan.startup()
        try:
            application = _asgi_application(config, handler, lifespan, instance, logs.function)
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

    def run_beside() -> None:
        try:
            run()
        except BaseException:
            logs.withdraw()
            raise
        finally:
            logs.close()  # The main thread may never come to that.

    if main_thread is None:
        run()
    else:
        main_thread.run_beside(run_beside, post.fail)
    return status


def _profile(config: Config, interface: str) -> "InvocationProfile | None":
    if config.profile_invocations == "off":
        return None
    # What it needs of the standard library takes 10 ms to import.
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
    post: Post,
    function: WsgiBridge | AsgiApplication,
    *,
    gate: "Trigger | None",
    signals: tuple[int, ...],
    main_thread: MainThread | None,
) -> tuple[float, int]:
    """Initialise, and serve until told to stop; in how many seconds the process should then have
    ended, and with which status.

    Raises:
        UsageError: the initializer has failed, and nobody else replaces the worker.
    """
    await instance.begin()
    application = instance.stand_before(function)
    timeouts = Timeouts(
        keep_alive=config.keep_alive_timeout,
        head=config.head_timeout,
        body=config.body_timeout,
        body_min_rate=config.body_min_rate,
        body_total=config.body_total_timeout,
        write=config.write_timeout,
    )
    site = SharedState(
        loop=asyncio.get_running_loop(),
        application=application,
        limits=_limits(config),
        error_style=error_style(config),
        exchange_type=exchange_type(config),
        metadata=instance.metadata,
        timeouts=timeouts,
        budget=_budget(config),
        max_unsent=config.answer_memory,
        next_request_id=request_ids(config),
        server_header=config.server_header,
        proxies=proxies(config),
        gate=instance.stand_before_gate(gate),
        cross_origin=None if gate is None else gate.cors,
        believes_platform=is_container(config),
        record=_record([log.add for log in (logs.access, profile) if log is not None]),
    )
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
    if main_thread is not None and isinstance(function, WsgiBridge):
        load = Load(site.connections, function, counts)
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
        trial=_trial(config, timeouts),
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
        assert isinstance(function, WsgiBridge)
        sweep.add(_ending_behind_overrun(server, site, function, post.link))
    await server.run(post.sock, post.on_ready, signals)
    if post.link is None:
        instance.require_no_failure()
    return max(_LEAST_LEAVE, server.time_left), int(server.has_failed)


def _trial(config: Config, timeouts: Timeouts) -> SharedState:
    """The site of connections that the worker makes with itself: nobody else's, and not logged."""
    return SharedState(
        loop=asyncio.get_running_loop(),
        application=Trial(),
        limits=_limits(config),
        timeouts=timeouts,
        budget=BodyBudget(0),
        next_request_id=str,
    )


def _ending_behind_overrun(
    server: Server, site: SharedState, bridge: WsgiBridge, link: Link | None
) -> Callable[[float], None]:
    """A worker whose only thread is stuck in a handler takes nothing more and is replaced, at once.

    New connections wait to be accepted by another.  Where there is no supervisor they wait here: in
    a debugger the handler goes on.
    """

    def check(now: float) -> None:
        if link is not None and bridge.needs_replacement and not site.is_draining:
            link.ask_for_replacement()
            server.drain("a handler is past its time", takes_queue=False)
        if site.is_draining:
            bridge.refuse_behind_overrun(now)

    return check


def _record(
    observers: list[Callable[[Exchange], None]],
) -> Callable[[Exchange], None] | None:
    """What is called at the end of each exchange."""
    if len(observers) < 2:
        return observers[0] if observers else None

    def record(exchange: Exchange) -> None:
        for observe in observers:
            observe(exchange)

    return record


def _budget(config: Config) -> BodyBudget:
    """The last part of the memory for bodies is kept for the oldest one, which is to finish."""
    kept = min(config.body_buffer, config.body_memory // 8)
    return BodyBudget(config.body_memory - kept, overdraft=kept)


def _bridge(
    config: Config,
    function: Bridged,
    instance: Instance,
    function_log: FunctionLog | None,
    profile: "InvocationProfile | None",
    main_thread: MainThread | None,
) -> WsgiBridge:
    handler = function.handler
    return WsgiBridge(
        handler if profile is None else profile.wrap(handler),
        threads=config.threads,
        limit_queue=config.queue,
        queue_timeout=config.queue_timeout,
        queue_delay=config.queue_delay,
        async_memory=config.body_memory // 2,
        handler_timeout=config.handler_timeout,
        limits=_limits(config),
        error_style=error_style(config),
        style_of=function.style_of,
        contexts=_contexts(config),
        exact_environ=function.has_exact_environ,
        metadata=instance.metadata,
        address_of=instance.address_of,
        function_log=function_log,
        is_multiprocess=config.workers > 1,
        lenient_start_response=config.lenient_start_response,
        main_thread=main_thread,
        unserved=function.unserved,
    )


def _asgi_application(
    config: Config,
    application: Callable[..., Any],
    lifespan: Lifespan,
    instance: Instance,
    function_log: FunctionLog | None,
) -> AsgiApplication:
    return AsgiApplication(
        application,
        contexts=_contexts(config),
        max_response_header_bytes=config.max_response_header_bytes,
        limit_concurrency=config.threads + config.queue,
        handler_timeout=config.handler_timeout,
        error_style=error_style(config),
        function_log=function_log,
        state=lifespan.state,
        address_of=instance.address_of,
        unserved=None if is_container(config) else unserved,
    )
