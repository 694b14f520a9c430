"""Who may connect and call, from the settings: a part of the composition root, `app.py`."""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.config import Config
from gateway.fc import names
from gateway.http.connection.connection import Connection
from gateway.http.connection.shared_state import SharedState

if TYPE_CHECKING:
    from gateway.proxies.forwarded import TrustedProxies
    from gateway.triggers.trigger import Authentication, Trigger


def proxies(config: Config) -> "TrustedProxies | None":
    """The proxies that are trusted on the origin of a request; `None` if there are none."""
    if not config.trusted_proxies:
        return None
    # Their imports from the standard library take some milliseconds.
    from gateway.proxies.forwarded import TrustedProxies  # noqa: PLC0415
    from gateway.proxies.networks import Networks  # noqa: PLC0415

    return TrustedProxies(Networks(config.trusted_proxies), config.forwarded_headers)


def new_connection(
    config: Config, made: Callable[[SharedState], Connection]
) -> Callable[[SharedState], asyncio.Protocol]:
    """The factory of connection protocols: `made`, or one that reads a PROXY header first."""
    if not config.proxy_protocol:
        return made
    from gateway.proxies.networks import Networks  # noqa: PLC0415
    from gateway.proxies.proxy_protocol import ProxyProtocol  # noqa: PLC0415

    return ProxyProtocol(Networks(config.trusted_proxies), made).new_protocol


def trigger(config: Config) -> "Trigger | None":
    """Who may call, with the keys as they are now; `None` if every request is allowed.

    Keys are removed from the environment.

    Raises:
        UsageError: there are no keys, or they cannot be read.
    """
    keys = os.environ.pop(names.FC_ACCESS_KEYS, "")
    if not (config.methods or config.cors or config.auth != "anonymous"):
        return None
    from gateway.triggers.cors import Cors  # noqa: PLC0415
    from gateway.triggers.trigger import Trigger  # noqa: PLC0415

    authentication: Authentication | None = None
    if config.auth == "function":
        from gateway.triggers.signature import signature_check  # noqa: PLC0415

        authentication = signature_check(
            config.auth_keys, keys, max_age=config.signature_max_age, place=config.place("auth")
        )
    elif config.auth == "jwt" and config.jwks is not None:
        from gateway.triggers.tokens import token_check  # noqa: PLC0415

        authentication = token_check(
            config.jwks,
            audience=config.jwt_audience,
            issuer=config.jwt_issuer,
            leeway=config.jwt_leeway,
            place=config.place("jwks"),
        )
    return Trigger(
        methods=config.methods, authentication=authentication, cors=Cors() if config.cors else None
    )
