"""What is served while measuring."""

from collections.abc import Callable, Iterable
from typing import Any

HELLO = b"Hello world!\n"


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: ARG001
    """The least that a WSGI handler does."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [HELLO]
