"""Request heads as the gateway's parser makes them."""

from gateway.http.connection.shared_state import is_withheld
from gateway.http.message.fields import FieldNames
from gateway.http.message.head import RequestHead
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits

LIMITS = Limits(max_header_bytes=64 * 1024, max_path_bytes=64 * 1024)


def head_of(
    target: str = "/", method: str = "GET", fields: list[tuple[str, str]] | None = None
) -> RequestHead:
    lines = [f"{method} {target} HTTP/1.1", "Host: a"]
    lines += [f"{name}: {value}" for name, value in fields or ()]
    head = HeadParser(FieldNames(is_withheld), LIMITS).feed(
        "\r\n".join([*lines, "", ""]).encode("latin-1")
    )
    assert head is not None
    return head
