"""The default URL of a function, `/2016-08-15/proxy/<service>[.<qualifier>]/<function>[/<path>]`.

Function Compute serves a function there when it has no custom domain.  The handler sees the path
after the prefix; `fc.request_uri` keeps the whole.  As on FC, SCRIPT_NAME stays empty.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

from gateway.fc.context import ContextSource, FCContext
from gateway.fc.names import PROXY_PREFIX

# FC's naming rule: letters, digits, "_" and "-", up to 128 in all; services and functions do not
# begin with a digit or "-", qualifiers may begin with a digit (a version is a number).  Without the
# rule a client could put any character, even line breaks, into the context and the logs.
_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,127}"
_QUALIFIER = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}"
SERVICE = re.compile(rf"({_NAME})(?:\.({_QUALIFIER}))?")
FUNCTION = re.compile(_NAME)
QUALIFIER = re.compile(_QUALIFIER)


class ProxyPath(NamedTuple):
    """The parts of a default URL."""

    service: str
    qualifier: str
    """A version or an alias; "" when the URL names none."""
    function: str
    path: str
    """The rest, still percent-encoded; begins with "/"."""


def parse_proxy_path(path: str) -> ProxyPath | None:
    """Split `path` when it is a default URL.

    `path` is the request's path without the query, as it arrived: percent-encoded, latin-1.
    `None` means an ordinary path, or names that break FC's naming rule.
    """
    if not path.startswith(PROXY_PREFIX):
        return None
    service_part, _, rest = path[len(PROXY_PREFIX) :].partition("/")
    function_part, _, rest = rest.partition("/")
    # RFC 3986 §6.2.2.2: "my%2Dservice" and "my-service" are the same name.
    service = SERVICE.fullmatch(unquote(service_part))
    function = FUNCTION.fullmatch(unquote(function_part))
    if service is None or function is None:
        return None
    return ProxyPath(service[1], service[2] or "", function[0], "/" + rest)


def address(path: str, request_id: str, contexts: ContextSource) -> tuple[str, FCContext]:
    """The path that the handler sees, and its context; on a default URL with the URL's names.

    `path` is percent-encoded, for `parse_proxy_path`.
    """
    proxy_path = parse_proxy_path(path)
    if proxy_path is None:
        return path, contexts.context(request_id)
    return proxy_path.path, contexts.addressed_context(
        request_id, proxy_path.service, proxy_path.qualifier, proxy_path.function
    )
