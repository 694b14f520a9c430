"""The `X-Fc-*` fields of responses: the exchanges of `--fc-headers full` and `none`.

A plain `Exchange` sends the fields of `minimal`.  The other two settings have subclasses, so that
the default costs nothing more.
"""

import re
from time import monotonic
from typing import Final

from gateway.fc.context import Service
from gateway.http.connection.connection import Connection
from gateway.http.connection.exchange import Exchange
from gateway.http.message.head import RequestHead
from gateway.http.message.response_head import ResponseHead

_FC_FIELD: Final = re.compile(rb"\r\nX-Fc-(?!Status:)[^\r]*", re.IGNORECASE)
"""A field line and the line end before it; `X-Fc-Status` is for Function Compute itself."""


def is_for_clients(name: bytes) -> bool:
    """Whether a response field, its name in lower case, tells clients about Function Compute."""
    return name.startswith(b"x-fc-") and name != b"x-fc-status"


class TellingExchange(Exchange):
    """An exchange whose response describes the invocation, once that has begun."""

    __slots__ = ("_begun_at", "_service")

    def __init__(
        self, connection: Connection, head: RequestHead | None, request_id: str, now: float
    ) -> None:
        super().__init__(connection, head, request_id, now)
        self._begun_at = 0.0
        self._service: Service | None = None

    def begin_invocation(self, service: Service) -> None:
        """Note time and service."""
        self._begun_at = monotonic()
        self._service = service

    def _encode_head(self, response: ResponseHead, length: int | None) -> bytes:
        metadata = self.connection.site.metadata
        if self._service is not None and metadata is not None:
            fields = metadata.fields(monotonic() - self._begun_at, self._service)
            self.extra_fields += "".join([f"\r\n{name}: {value}" for name, value in fields])
        return super()._encode_head(response, length)


class SilentExchange(Exchange):
    """An exchange whose response has no `X-Fc-*` fields for clients."""

    __slots__ = ()

    @staticmethod
    def seal(head: bytes) -> bytes:
        """The response head without these fields, whether gateway or handler set them."""
        return _FC_FIELD.sub(b"", head)

    def _encode_head(self, response: ResponseHead, length: int | None) -> bytes:
        return self.seal(super()._encode_head(response, length))
