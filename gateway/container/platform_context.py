"""The invocation context that Function Compute sends to a container in header fields.

Sources: FC's "Common request headers" of custom runtimes; for `X-Fc-Base-Path` also what containers
were observed to get.  An empty or invalid field leaves the template's value (FC 3.0, which has no
services, sends their fields empty).
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

from gateway.fc import names
from gateway.fc.context import ContextTemplate, Credentials, FCContext, Function, Service, Tracing
from gateway.fc.proxy_path import address, parse_proxy_path
from gateway.http.message import fields as roles
from gateway.http.message.head import RequestHead

Fields = Mapping[bytes, bytes]
"""Values by the field's name in lower case."""

_SAFE_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_COUNT: Final = re.compile(rb"[0-9]{1,9}")


def _key(name: str) -> bytes:
    return name.lower().encode()


_REQUEST_ID_FIELD: Final = _key(names.REQUEST_ID)
_BASE_PATH_FIELD: Final = _key(names.BASE_PATH)
_CONTROL_PATH_FIELD: Final = _key(names.CONTROL_PATH)
_HTTP_INVOKE: Final = b"/http-invoke"


def platform_fields(head: RequestHead) -> Fields:
    """The fields that the platform has set in a request; the last of repeated ones."""
    return {name.lower: value for name, value in head.withheld or () if name.role == roles.PLATFORM}


def platform_request_id(fields: Fields) -> str | None:
    """The invocation's id, `None` without one that is safe in logs and responses."""
    told = fields.get(_REQUEST_ID_FIELD, b"")
    return told.decode() if _SAFE_REQUEST_ID.fullmatch(told) else None


class PlatformContexts:
    """Makes contexts from the platform's fields."""

    def __init__(self, template: ContextTemplate) -> None:
        """`template` has the values that the platform does not send."""
        self._template = template

    def address(self, path: str, request_id: str, fields: Fields) -> tuple[str, FCContext]:
        """The path that the handler sees, and its context.

        `path` is percent-encoded, for `parse_proxy_path`.  On the default URL the handler sees the
        path after the prefix, as in FC's own runtimes; elsewhere the whole path.  `X-Fc-Base-Path`
        only decides between the two, because FC 3.0 fills it with the whole path; without it the
        path itself decides.
        """
        base = fields.get(_BASE_PATH_FIELD, b"").decode("latin-1")
        if base and parse_proxy_path(base) is None:
            context = self._template.context(request_id)
        else:
            path, context = address(path, request_id, self._template)
        self._fill(context, fields)
        return path, context

    def of_request(self, head: RequestHead, request_id: str) -> tuple[str, FCContext]:
        """Path and context of a request that the platform has sent, like `address`."""
        return self.address(head.path, request_id, platform_fields(head))

    def _fill(self, context: FCContext, fields: Fields) -> None:
        """Set what the fields contain; the rest stays the template's, or the default URL's."""
        if not fields:
            return
        context.is_passed_through = fields.get(_CONTROL_PATH_FIELD) == _HTTP_INVOKE

        def text(name: str, instead: str) -> str:
            try:
                return fields.get(_key(name), b"").decode() or instead
            except UnicodeDecodeError:
                return instead

        def count(name: str, instead: int) -> int:
            told = fields.get(_key(name), b"")
            return int(told) if _COUNT.fullmatch(told) else instead

        function, service, tracing = context.function, context.service, context.tracing
        context.credentials = better_credentials(
            Credentials(
                text(names.ACCESS_KEY_ID, ""),
                text(names.ACCESS_KEY_SECRET, ""),
                text(names.SECURITY_TOKEN, ""),
            ),
            context.credentials,
        )
        context.service = told_service = Service(
            text(names.SERVICE_NAME, service.name),
            text(names.SERVICE_LOGPROJECT, service.log_project),
            text(names.SERVICE_LOGSTORE, service.log_store),
            text(names.QUALIFIER, service.qualifier),
            text(names.VERSION_ID, service.version_id),
        )
        context.function = Function.of_service(
            text(names.FUNCTION_NAME, function.name),
            text(names.FUNCTION_HANDLER, function.handler),
            count(names.FUNCTION_MEMORY, function.memory),
            count(names.FUNCTION_TIMEOUT, function.timeout),
            told_service,
        )
        context.region = text(names.REGION, context.region)
        context.account_id = text(names.ACCOUNT_ID, context.account_id)
        context.retry_count = count(names.RETRY_COUNT, context.retry_count)
        context.tracing = Tracing(
            text(names.SPAN_CONTEXT, tracing.span_context),
            text(names.JAEGER_ENDPOINT, tracing.jaeger_endpoint),
            _baggages(fields.get(_key(names.SPAN_BAGGAGES), b"")) or tracing.baggages,
        )


def better_credentials(told: Credentials, known: Credentials) -> Credentials:
    """The credentials of one source: a token is of no use with the keys of another.

    `told` came with the invocation and is the fresher one: `known`, from the process environment,
    is as old as the process.  But not all runtimes get the token (`custom.debian11` does not any
    more).  The choice is `told` where it is complete, by itself or with the rest of `known` for the
    same key; otherwise `known` where that is complete; otherwise the one that has a key and its
    secret.
    """
    if told.access_key_id and told.access_key_id == known.access_key_id:
        told = Credentials(
            told.access_key_id,
            told.access_key_secret or known.access_key_secret,
            told.security_token or known.security_token,
        )
    if told.is_complete or known.is_complete:
        return told if told.is_complete else known
    return told if told.access_key_id and told.access_key_secret else known


def _baggages(told: bytes) -> tuple[tuple[str, str], ...]:
    """The items of a JSON object in base64; none if the field is something else."""
    try:
        items = json.loads(b64decode(told, validate=True))
    except (ValueError, RecursionError):
        return ()
    if not isinstance(items, dict):
        return ()
    return tuple((key, value) for key, value in items.items() if isinstance(value, str))
