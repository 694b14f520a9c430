"""The handler that BENCH_TARGET names, as `app`, for servers that cannot take it as it is.

BENCH_WRAPPER says how: `a2wsgi` and `asgiref` make an ASGI application of it, `length` tells the
length of an answer in one piece, which uWSGI leaves to the handler.
"""

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any


def _a2wsgi(handler: Any) -> Any:
    from a2wsgi import WSGIMiddleware  # noqa: PLC0415

    return WSGIMiddleware(handler, workers=8)


def _asgiref(handler: Any) -> Any:
    from asgiref.wsgi import WsgiToAsgi  # noqa: PLC0415

    return WsgiToAsgi(handler)  # type: ignore[no-untyped-call]  # asgiref has no types here


def _length(handler: Any) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begun: list[Any] = []
        answer: Iterable[bytes] = handler(environ, lambda *arguments: begun.extend(arguments))
        if isinstance(answer, list) and len(answer) == 1:
            names = {name.lower() for name, _ in begun[1]}
            if "content-length" not in names:
                begun[1].append(("Content-Length", str(len(answer[0]))))
        start_response(*begun)
        return answer

    return app


def _handler() -> Any:
    module, _, attribute = os.environ["BENCH_TARGET"].partition(":")
    return getattr(import_module(module), attribute)


# Each imports its library when it is called: only the one that is asked for has to be there.
_WRAPPERS = {"a2wsgi": _a2wsgi, "asgiref": _asgiref, "length": _length}

if "BENCH_WRAPPER" in os.environ:
    app = _WRAPPERS[os.environ["BENCH_WRAPPER"]](_handler())
