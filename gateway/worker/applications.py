"""What serves a handler, built from the settings: a WSGI runner or an ASGI application."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.asgi.adapter import AsgiApplication
from gateway.asgi.lifespan import Lifespan
from gateway.config import Config
from gateway.http.answers.api_path import unserved
from gateway.limits import Limits
from gateway.logs.function_log import FunctionLog
from gateway.threads.main_thread import MainThread
from gateway.worker.function import context_template_of
from gateway.worker.instance import Instance
from gateway.worker.interfaces import Bridged
from gateway.worker.responses import error_style, is_container
from gateway.wsgi.runner import WsgiRunner

if TYPE_CHECKING:
    from gateway.logs.invocation_profile import InvocationProfile


def limits(config: Config) -> Limits:
    """The limits on requests and responses."""
    return Limits(
        max_header_bytes=config.max_header_bytes,
        max_header_fields=config.max_header_fields,
        max_path_bytes=config.max_path_bytes,
        max_body=config.max_body,
        max_async_body=config.max_async_body,
        max_response_header_bytes=config.max_response_header_bytes,
        body_buffer=config.body_buffer,
    )


def wsgi_runner(
    config: Config,
    function: Bridged,
    instance: Instance,
    function_log: FunctionLog | None,
    profile: "InvocationProfile | None",
    main_thread: MainThread | None,
) -> WsgiRunner:
    """The runner of a WSGI or event handler, in a pool of threads."""
    handler = function.handler
    return WsgiRunner(
        handler if profile is None else profile.wrap(handler),
        threads=config.threads,
        limit_queue=config.queue,
        queue_timeout=config.queue_timeout,
        queue_delay=config.queue_delay,
        async_memory=config.body_memory // 2,
        handler_timeout=config.handler_timeout,
        limits=limits(config),
        error_style=error_style(config),
        style_of=function.style_of,
        contexts=context_template_of(config),
        exact_environ=function.has_exact_environ,
        metadata=instance.metadata,
        address_of=instance.address_of,
        function_log=function_log,
        is_multiprocess=config.workers > 1,
        lenient_start_response=config.lenient_start_response,
        main_thread=main_thread,
        unserved=function.unserved,
    )


def asgi_application(
    config: Config,
    application: Callable[..., Any],
    lifespan: Lifespan,
    instance: Instance,
    function_log: FunctionLog | None,
) -> AsgiApplication:
    """The adapter that runs an ASGI application on the loop."""
    return AsgiApplication(
        application,
        contexts=context_template_of(config),
        max_response_header_bytes=config.max_response_header_bytes,
        limit_concurrency=config.threads + config.queue,
        handler_timeout=config.handler_timeout,
        error_style=error_style(config),
        function_log=function_log,
        state=lifespan.state,
        address_of=instance.address_of,
        unserved=None if is_container(config) else unserved,
    )
