"""The environ of a request that came over one of the gateway's own connections.

What equal requests of a connection share is made once: the connection keeps its part, and the head,
which connections use again for equal requests, keeps the rest.
"""

import os
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from gateway.fc import names
from gateway.fc.context import ContextSource, FCContext
from gateway.fc.proxy_path import address
from gateway.http.connection.exchange import Exchange
from gateway.wsgi.environ import connection_environ, head_environ, request_environ
from gateway.wsgi.exact_environ import exact_environ, exact_head_environ

if TYPE_CHECKING:
    from gateway.http.connection.connection import Connection
    from gateway.http.message.head import RequestHead
    from gateway.http.message.origin import Origin

_PROXY_PREFIX: Final = names.PROXY_PREFIX


class ExchangeEnviron:
    """Makes environs, in the threads that run handlers."""

    def __init__(
        self,
        contexts: ContextSource,
        address_of: "Callable[[RequestHead, str], tuple[str, FCContext]] | None",
        *,
        is_multithread: bool,
        is_multiprocess: bool,
    ) -> None:
        """`contexts` makes `fc.context`.

        `address_of`, where it is not `None`, makes path and context from head and request id.
        `is_multithread` and `is_multiprocess` are PEP 3333's.
        """
        self._contexts = contexts
        self._address_of = address_of
        self._is_multithread = is_multithread
        self._is_multiprocess = is_multiprocess

    def make(self, exchange: Exchange) -> dict[str, Any]:
        """PEP 3333's environ."""
        head = exchange.head
        assert head is not None  # A request without a head has been refused.
        path = head.path
        request_id = exchange.request_id
        if self._address_of is not None:
            path, context = self._address_of(head, request_id)
        elif path.startswith(_PROXY_PREFIX):  # Saves other paths a call.
            path, context = address(path, request_id, self._contexts)
        else:
            context = self._contexts.context(request_id)
        of_head = head.environ
        if of_head is None:
            of_head = self._head_environ(exchange.connection, head, path)
            if type(head.fields) is list:  # With very many fields it is too large to keep.
                head.environ = of_head
        body = exchange.body
        if body is None:
            return request_environ(of_head, BytesIO(), None, context)
        return request_environ(of_head, body.open(), body.length, context)

    def make_exact(self, exchange: Exchange) -> dict[str, Any]:
        """Function Compute's own environ (`wsgi.exact_environ`)."""
        head, connection = exchange.head, exchange.connection
        assert head is not None  # A request without a head has been refused.
        if self._address_of is not None:
            path, context = self._address_of(head, exchange.request_id)
        else:
            path, context = address(head.path, exchange.request_id, self._contexts)
        of_head = head.environ
        if of_head is None:
            proxies = connection.site.proxies
            origin = None if proxies is None else proxies.origin(head, connection)
            of_head = exact_head_environ(
                head,
                path=path,
                client=connection.peer if origin is None else origin.client,
                host="" if origin is None else origin.host,
                handler=context.function.handler,
                is_multithread=self._is_multithread,
                is_multiprocess=self._is_multiprocess,
            )
            if type(head.fields) is list:
                head.environ = of_head
        return exact_environ(os.environ, of_head, exchange.body, context)

    def _head_environ(
        self, connection: "Connection", head: "RequestHead", path: str
    ) -> dict[str, Any]:
        proxies = connection.site.proxies
        if proxies is not None:
            return self._proxied_environ(proxies.origin(head, connection), head, path)
        shared = connection.environ
        if shared is None:
            shared = connection.environ = connection_environ(
                connection.local,
                connection.peer,
                scheme="http",
                is_multithread=self._is_multithread,
                is_multiprocess=self._is_multiprocess,
            )
        return head_environ(shared, head, path=path)

    def _proxied_environ(self, origin: "Origin", head: "RequestHead", path: str) -> dict[str, Any]:
        """For one request: a proxy sends requests of many clients over one connection."""
        shared = connection_environ(
            origin.server,
            origin.client,
            scheme=origin.scheme,
            is_multithread=self._is_multithread,
            is_multiprocess=self._is_multiprocess,
        )
        environ = head_environ(shared, head, path=path)
        if origin.host:
            environ["HTTP_HOST"] = origin.host
        return environ
