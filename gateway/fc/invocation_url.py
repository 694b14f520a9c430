"""The URLs of InvokeFunction, by which SDKs and other services invoke a function with an event.

FC 2.0 and 3.0 name the function each in their own way ("InvokeFunction" in FC's API reference of
2016-08-15 and 2023-03-30).  Both are `POST`; the body is the event.  A container is called in a
third way, in which header fields name the function.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from gateway.fc import names
from gateway.fc.proxy_path import FUNCTION, QUALIFIER, SERVICE

_LAST: Final = "invocations"


class InvocationUrl(NamedTuple):
    """What the URL addresses."""

    service: str
    """"" where FC has no services, as 3.0 has none, and in calls to a container."""
    qualifier: str
    """A version or an alias; "" when the URL names none."""
    function: str
    """"" in calls to a container."""


Recognise = Callable[[str, str], InvocationUrl | None]
"""Of method and target of a request: what it invokes with its body, if it does."""


def parse_invocation_url(method: str, target: str) -> InvocationUrl | None:
    """What `target` names when a request for it is InvokeFunction.

    `target` is path and query as they arrived: percent-encoded, latin-1.  None means an ordinary
    request, also where the names break FC's naming rule.
    """
    if method != "POST":
        return None
    if target.startswith(names.SERVICES_PREFIX):
        return _of_2016(target[len(names.SERVICES_PREFIX) :].partition("?")[0])
    if target.startswith(names.FUNCTIONS_PREFIX):
        path, _, query = target[len(names.FUNCTIONS_PREFIX) :].partition("?")
        return _of_2023(path, query)
    return None


def parse_container_call(method: str, target: str) -> InvocationUrl | None:
    """The same for Function Compute's calls to a container: `POST /invoke` brings an event (FC,
    "Principles" of custom runtimes), all else are HTTP requests."""
    is_event = method == "POST" and target.partition("?")[0] == names.CONTAINER_INVOKE
    return InvocationUrl("", "", "") if is_event else None


def _of_2016(path: str) -> InvocationUrl | None:
    match path.split("/"):
        case [service_part, "functions", function_part, last] if last == _LAST:
            service = SERVICE.fullmatch(unquote(service_part))
            function = FUNCTION.fullmatch(unquote(function_part))
            if service and function:
                return InvocationUrl(service[1], service[2] or "", function[0])
    return None


def _of_2023(path: str, query: str) -> InvocationUrl | None:
    match path.split("/"):
        case [function_part, last] if last == _LAST:
            function = FUNCTION.fullmatch(unquote(function_part))
            qualifier = dict(parse_qsl(query)).get("qualifier", "")
            if function and (not qualifier or QUALIFIER.fullmatch(qualifier)):
                return InvocationUrl("", qualifier, function[0])
    return None
