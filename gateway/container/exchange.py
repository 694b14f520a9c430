"""Exchanges of requests that Function Compute sends: they have its ids, and a field of success.

Responses that the gateway makes in the function's place replace that field (`verdict`).
"""

from typing import TYPE_CHECKING

from gateway.container.platform_context import platform_fields, platform_request_id
from gateway.container.verdict import SUCCEEDED
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.fc_fields import SilentExchange, TellingExchange
from gateway.http.message.head import RequestHead

if TYPE_CHECKING:
    from gateway.http.connection.connection import Connection


class PlatformExchange(Exchange):
    """An exchange with the platform's request id and the field of a success."""

    __slots__ = ()

    def __init__(
        self, connection: "Connection", head: RequestHead | None, request_id: str, now: float
    ) -> None:
        """`request_id` is for a request without an id of the platform."""
        told = None if head is None else platform_request_id(platform_fields(head))
        super().__init__(connection, head, told or request_id, now)
        self.extra_fields = SUCCEEDED


class TellingPlatformExchange(PlatformExchange, TellingExchange):
    """For `--fc-headers full`."""

    __slots__ = ()


class SilentPlatformExchange(PlatformExchange, SilentExchange):
    """For `--fc-headers none`."""

    __slots__ = ()
