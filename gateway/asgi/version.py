"""ASGI applications of either version as ASGI 3: `await app(scope, receive, send)`."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application


def to_version_3(application: Callable[..., Any]) -> "ASGI3Application":
    """`application`, wrapped if it is a "double callable" of ASGI 2: `await app(scope)(…)`.

    A callable that takes `scope` alone speaks version 2; so does a class whose instances run one
    scope each.
    """
    try:
        inspect.signature(application).bind("scope", "receive", "send")
    except TypeError:
        # Imported here because it costs 40 ms, and ASGI 2 is rare.
        from asgiref.compatibility import double_to_single_callable  # noqa: PLC0415

        single = double_to_single_callable(application)  # type: ignore[no-untyped-call]  # asgiref has none
        return cast("ASGI3Application", single)
    except ValueError:
        pass  # Written in C, without a signature: assumed to speak version 3.
    return application
