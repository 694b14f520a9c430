"""An event handler, `handler(event, context)`, as a WSGI application.

So it runs in the pool, with the timeouts, limits and error responses of WSGI handlers.
"""

from collections.abc import Callable
from time import time
from typing import Any

from gateway.errors import BadResponse
from gateway.events.http_event import http_event
from gateway.events.result import http_response, output
from gateway.fc import names
from gateway.fc.context import address
from gateway.fc.invocation_url import InvocationUrl, Recognise, parse_invocation_url

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class EventHandler:
    """Calls a handler with events: the request body of InvokeFunction, or an HTTP event.

    It is an application for `gateway.WsgiBridge` and relies on its environ.
    """

    def __init__(
        self,
        handler: Callable[[bytes, Any], object],
        recognise: Recognise = parse_invocation_url,
        *,
        is_behind_platform: bool = False,
    ) -> None:
        """`recognise` decides which requests have an event as their body.

        `is_behind_platform`: whether `X-Fc-*` fields come from Function Compute, not from clients.
        """
        self._handler = handler
        self._recognise = recognise
        self._has_fc_headers = not is_behind_platform

    def __repr__(self) -> str:
        return f"<EventHandler {self._handler!r}>"

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        """PEP 3333.

        Raises:
            BadResponse: the response that the handler asks for is invalid.
            BaseException: the handler or its result raised it.
        """
        body: bytes = environ["wsgi.input"].read()
        context = environ[names.ENVIRON_CONTEXT]
        url = self._recognise(environ["REQUEST_METHOD"], environ[names.ENVIRON_REQUEST_URI])
        # Otherwise a client of an HTTP trigger could forge events by the path that it requests.
        if url is not None and not context.is_passed_through:
            return self._invoke(body, url, environ, start_response)
        event = http_event(environ, body, time(), has_fc_headers=self._has_fc_headers)
        status, headers, content = http_response(self._handler(event, context))
        try:
            start_response(status, headers)
        except (TypeError, ValueError) as error:
            raise BadResponse(f"the response struct of the handler is invalid: {error}") from error
        return [content]

    def _invoke(
        self,
        event: bytes,
        url: InvocationUrl,
        environ: dict[str, Any],
        start_response: StartResponse,
    ) -> list[bytes]:
        context = environ[names.ENVIRON_CONTEXT]
        address(context, *url)
        content = output(self._handler(event, context))
        start_response("200", [("Content-Type", "application/octet-stream")])
        return [content]
