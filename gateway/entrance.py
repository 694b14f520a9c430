"""What settings mean for who connects: a part of the composition root, `app.py`."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.config import Config
from gateway.http.connection import Connection
from gateway.http.site import Site

if TYPE_CHECKING:
    from gateway.trust.forwarded import TrustedProxies


def proxies(config: Config) -> "TrustedProxies | None":
    """Who is believed on whom a request comes from; `None`: nobody."""
    if not config.trusted_proxies:
        return None
    # What they need of the standard library takes some milliseconds to import.
    from gateway.trust.forwarded import TrustedProxies  # noqa: PLC0415
    from gateway.trust.networks import Networks  # noqa: PLC0415

    return TrustedProxies(Networks(config.trusted_proxies), config.forwarded_headers)


def new_connection(
    config: Config, made: Callable[[Site], Connection]
) -> Callable[[Site], asyncio.Protocol]:
    """What makes the protocol of a connection: `made`, or that of what stands before it."""
    if not config.proxy_protocol:
        return made
    from gateway.trust.networks import Networks  # noqa: PLC0415
    from gateway.trust.proxy_protocol import Door  # noqa: PLC0415

    return Door(Networks(config.trusted_proxies), made).greet
