"""The invocation context that a handler finds as `environ["fc.context"]`.

All requests of a process share nearly all of it: a `ContextTemplate`, whose parts are frozen, so
that no request can change another's.  Only the `FCContext` itself belongs to its request.

Attribute names, aliases and the keys of `to_json()` are those of Function Compute's Python
runtime ("Context" in FC's developer reference).  The runtimes of FC 3.0, which has no services,
have qualifier, version and log store at `context.function`; those of 2.0 at `context.service`.
Here both have them, so that handlers of either version work.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, ClassVar, Protocol

from gateway.fc import names


class FunctionLogger(logging.Logger):
    """The type of `context.logger`: one of the handler's loggers, in the usual registry."""

    least = logging.CRITICAL
    """It takes this level and above, even if the root logger does not.  On Function Compute
    `context.logger` is the root logger, whose level is INFO."""

    def getEffectiveLevel(self) -> int:  # noqa: N802 - the library's spelling
        """Its own level; if none is set, the lower of the inherited level and `least`."""
        return self.level or min(super().getEffectiveLevel(), self.least)


def _function_logger() -> logging.Logger:
    usual = logging.getLoggerClass()
    logging.setLoggerClass(FunctionLogger)
    try:
        return logging.getLogger("gateway.function")
    finally:
        logging.setLoggerClass(usual)


LOGGER = _function_logger()
"""The function's logger.  `gateway.logs` configures its output."""


def _alias(name: str) -> Any:
    """Another spelling of the attribute `name`: FC's camelCase."""
    return property(attrgetter(name), doc=f"Alias of `{name}`.")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Temporary keys of the function's role; each "" when there is none."""

    access_key_id: str = ""
    access_key_secret: str = ""
    security_token: str = ""

    accessKeyId = _alias("access_key_id")  # noqa: N815
    accessKeySecret = _alias("access_key_secret")  # noqa: N815
    securityToken = _alias("security_token")  # noqa: N815

    @property
    def is_complete(self) -> bool:
        """Whether all three are there, as in the keys of a role."""
        return bool(self.access_key_id and self.access_key_secret and self.security_token)

    def __repr__(self) -> str:
        given = self.access_key_id or self.access_key_secret or self.security_token
        return f"Credentials({'hidden' if given else 'none'})"


@dataclass(frozen=True, slots=True)
class Service:
    """The service that the function belongs to, and where its logs go."""

    name: str
    log_project: str = ""
    log_store: str = ""
    qualifier: str = names.LATEST
    version_id: str = ""

    logProject = _alias("log_project")  # noqa: N815
    logStore = _alias("log_store")  # noqa: N815
    versionId = _alias("version_id")  # noqa: N815


@dataclass(frozen=True, slots=True)
class Function:
    """The function that is invoked: `memory` in MB, `timeout` in seconds.

    The rest belongs to its service; FC 3.0, which has no services, has it here.
    """

    name: str
    handler: str
    memory: int
    timeout: int
    log_project: str = ""
    log_store: str = ""
    qualifier: str = names.LATEST
    version_id: str = ""

    logProject = _alias("log_project")  # noqa: N815
    logStore = _alias("log_store")  # noqa: N815
    versionId = _alias("version_id")  # noqa: N815

    @classmethod
    def of_service(
        cls, name: str, handler: str, memory: int, timeout: int, service: Service
    ) -> "Function":
        """A function with the log store, qualifier and version of its service."""
        return cls(
            name,
            handler,
            memory,
            timeout,
            service.log_project,
            service.log_store,
            service.qualifier,
            service.version_id,
        )


@dataclass(frozen=True, slots=True)
class Tracing:
    """The trace that the invocation is part of (OpenTracing, Jaeger)."""

    span_context: str = ""
    jaeger_endpoint: str = ""
    baggages: tuple[tuple[str, str], ...] = ()

    spanContext = openTracingSpanContext = _alias("span_context")  # noqa: N815
    jaegerEndpoint = _alias("jaeger_endpoint")  # noqa: N815
    spanBaggages = openTracingSpanBaggages = _alias("span_baggages")  # noqa: N815

    @property
    def span_baggages(self) -> dict[str, str]:
        """The baggage items, in a fresh dict."""
        return dict(self.baggages)


class FCContext:
    """A handler's view of its invocation."""

    __slots__ = (
        "_template",
        "account_id",
        "credentials",
        "function",
        "is_passed_through",
        "region",
        "request_id",
        "retry_count",
        "service",
        "tracing",
    )

    request_id: str
    credentials: "Credentials"
    function: "Function"
    service: "Service"
    region: str
    account_id: str
    retry_count: int
    tracing: "Tracing"
    is_passed_through: bool
    """Whether the platform declares the request a client's own, not an event."""

    def __init__(self, request_id: str, template: "ContextTemplate") -> None:
        self.request_id = request_id
        self._template = template

    def __getattr__(self, name: str) -> Any:
        """Attributes not set for this request are the template's: few handlers read them."""
        if name in _FROM_TEMPLATE:
            return getattr(self._template, name)
        raise AttributeError(f"fc.context has no attribute {name!r}", name=name, obj=self)

    requestId = _alias("request_id")  # noqa: N815
    accountId = _alias("account_id")  # noqa: N815
    retryCount = _alias("retry_count")  # noqa: N815

    @property
    def logger(self) -> logging.Logger:
        """The function's logger."""
        return LOGGER

    def getLogger(self) -> logging.Logger:  # noqa: N802 - FC's spelling
        """The function's logger."""
        return LOGGER

    def to_json(self) -> str:
        """The context as a JSON text, keys in FC's camelCase, secrets included (as FC does)."""
        credentials, function, service = self.credentials, self.function, self.service
        content: dict[str, Any] = {
            "requestId": self.request_id,
            "credentials": {
                "accessKeyId": credentials.access_key_id,
                "accessKeySecret": credentials.access_key_secret,
                "securityToken": credentials.security_token,
            },
            "function": {
                "name": function.name,
                "handler": function.handler,
                "memory": function.memory,
                "timeout": function.timeout,
            },
            "service": {
                "name": service.name,
                "logProject": service.log_project,
                "logStore": service.log_store,
                "qualifier": service.qualifier,
                "versionId": service.version_id,
            },
            "region": self.region,
            "accountId": self.account_id,
            "retryCount": self.retry_count,
            "tracing": {
                "openTracingSpanContext": self.tracing.span_context,
                "openTracingSpanBaggages": self.tracing.span_baggages,
                "jaegerEndpoint": self.tracing.jaeger_endpoint,
            },
        }
        return json.dumps(content)

    def __repr__(self) -> str:
        return (
            f"FCContext(request_id={self.request_id!r}, function={self.function!r}, "
            f"service={self.service!r}, region={self.region!r}, account_id={self.account_id!r}, "
            f"retry_count={self.retry_count!r}, credentials={self.credentials!r})"
        )


_FROM_TEMPLATE = frozenset(FCContext.__slots__) - {"request_id", "_template"}


class ContextSource(Protocol):
    """Makes the context of each request, like `ContextTemplate`."""

    def context(self, request_id: str) -> FCContext: ...
    def addressed_context(
        self, request_id: str, service: str, qualifier: str, function: str
    ) -> FCContext: ...


@dataclass(frozen=True, slots=True)
class ContextTemplate:
    """The common part of all contexts of a process."""

    function: Function
    service: Service
    credentials: Credentials = Credentials()
    region: str = ""
    account_id: str = ""
    retry_count: int = 0
    tracing: Tracing = Tracing()
    is_passed_through: ClassVar[bool] = False

    def context(self, request_id: str) -> FCContext:
        """The context of one request."""
        return FCContext(request_id, self)

    def addressed_context(
        self, request_id: str, service: str, qualifier: str, function: str
    ) -> FCContext:
        """The context of one request on the default URL, with the names in that URL.

        With an empty `qualifier` the template's stays.
        """
        context = FCContext(request_id, self)
        address(context, service, qualifier, function)
        return context


def address(context: FCContext, service: str, qualifier: str, function: str) -> None:
    """Set the names that a URL has in `context`; an empty one changes nothing."""
    mine, told = context.service, context.function
    context.service = addressed = Service(
        service or mine.name,
        mine.log_project,
        mine.log_store,
        qualifier or mine.qualifier,
        mine.version_id,
    )
    context.function = Function.of_service(
        function or told.name, told.handler, told.memory, told.timeout, addressed
    )


def context_template(
    *,
    environ: Mapping[str, str],
    function_name: str,
    handler: str,
    memory: int,
    timeout: int,
    service_name: str,
    qualifier: str = names.LATEST,
    region: str = "",
    account_id: str = "",
    log_project: str = "",
    log_store: str = "",
) -> ContextTemplate:
    """The template for a process: `memory` in MB, `timeout` in seconds.

    `environ` is the process environment; only the credentials come from it, in the variables of
    FC's runtimes: ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
    ALIBABA_CLOUD_SECURITY_TOKEN.
    """
    service = Service(service_name, log_project, log_store, qualifier)
    return ContextTemplate(
        function=Function.of_service(function_name, handler, memory, timeout, service),
        service=service,
        credentials=Credentials(
            environ.get(names.ALIBABA_CLOUD_ACCESS_KEY_ID, ""),
            environ.get(names.ALIBABA_CLOUD_ACCESS_KEY_SECRET, ""),
            environ.get(names.ALIBABA_CLOUD_SECURITY_TOKEN, ""),
        ),
        region=region,
        account_id=account_id,
    )
