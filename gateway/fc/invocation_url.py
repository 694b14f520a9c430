"""The URLs of InvokeFunction, by which SDKs and other services invoke a function with an event.

FC 2.0 and 3.0 have URLs of different forms ("InvokeFunction" in FC's API reference of 2016-08-15,
2021-04-06 and 2023-03-30).  The method is `POST`, the body is the event.  Calls to a container
differ: header fields name the function.
"""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from gateway.fc import names
from gateway.fc.proxy_path import FUNCTION, QUALIFIER, SERVICE


class InvocationUrl(NamedTuple):
    """The names in the URL."""

    service: str
    """"" for FC 3.0, which has no services, and in calls to a container."""
    qualifier: str
    """A version or an alias; "" when the URL names none."""
    function: str
    """"" in calls to a container."""


Recognise = Callable[[str, str], InvocationUrl | None]
"""Finds out from method and target what a request invokes; `None`: its body is not an event."""


def parse_invocation_url(method: str, target: str) -> InvocationUrl | None:
    """The names in `target` if a request for it is InvokeFunction.

    `target` is path and query as they arrived: percent-encoded, latin-1.  `None` means another
    request, or names that break FC's naming rule.
    """
    if method != "POST" or not target.startswith(names.API_PREFIXES):
        return None
    path, _, query = target.partition("?")
    match path.split("/"):
        case [_, version, "services", service_part, "functions", function_part, names.INVOCATIONS]:
            service = SERVICE.fullmatch(unquote(service_part))
            if service is None:
                return None
            name, qualifier = service[1], service[2] or ""
            if version == names.API_VERSION:
                query = ""  # In this version only the path has the qualifier.
        case [_, _, "functions", function_part, names.INVOCATIONS]:
            name = qualifier = ""
        case _:
            return None
    qualifier = qualifier or dict(parse_qsl(query)).get("qualifier", "")
    function = FUNCTION.fullmatch(unquote(function_part))
    if function is None or (qualifier and not QUALIFIER.fullmatch(qualifier)):
        return None
    return InvocationUrl(name, qualifier, function[0])


def parse_container_call(method: str, target: str) -> InvocationUrl | None:
    """Recognise Function Compute's calls to a container: `POST /invoke` brings an event.

    Other calls are HTTP requests, and the result is `None`.  Source: FC, "Principles" of custom
    runtimes.
    """
    is_event = method == "POST" and target.partition("?")[0] == names.CONTAINER_INVOKE
    return InvocationUrl("", "", "") if is_event else None
