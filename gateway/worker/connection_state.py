"""What the connections of a worker share, built from the settings."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway.config import Config
from gateway.http.body.body import BodyBudget
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.gate import Gate
from gateway.http.connection.shared_state import ServedApplication, SharedState, Timeouts
from gateway.worker.access import proxies
from gateway.worker.applications import limits
from gateway.worker.liveness import ProbeApplication
from gateway.worker.responses import error_style, exchange_type, is_container, request_ids

if TYPE_CHECKING:
    from gateway.fc.metadata import InvocationMetadata
    from gateway.triggers.cors import Cors


def timeouts_of(config: Config) -> Timeouts:
    """The time limits of connections."""
    return Timeouts(
        keep_alive=config.keep_alive_timeout,
        head=config.head_timeout,
        body=config.body_timeout,
        body_min_rate=config.body_min_rate,
        body_total=config.body_total_timeout,
        write=config.write_timeout,
    )


def shared_state(
    config: Config,
    application: ServedApplication,
    timeouts: Timeouts,
    *,
    metadata: "InvocationMetadata | None",
    gate: Gate | None,
    cross_origin: "Cors | None",
    observers: Sequence[Callable[[Exchange], None]],
) -> SharedState:
    """The state of the clients' connections.  Each of `observers` is called when an exchange ends.

    Call it on the loop.
    """
    return SharedState(
        loop=asyncio.get_running_loop(),
        application=application,
        limits=limits(config),
        error_style=error_style(config),
        exchange_type=exchange_type(config),
        metadata=metadata,
        timeouts=timeouts,
        budget=_body_budget(config),
        max_write_backlog=config.answer_memory,
        next_request_id=request_ids(config),
        server_header=config.server_header,
        proxies=proxies(config),
        gate=gate,
        cross_origin=cross_origin,
        believes_platform=is_container(config),
        record=_record(observers),
    )


def probe_state(config: Config, timeouts: Timeouts) -> SharedState:
    """The state of the connections by which a worker probes itself.  They are not logged."""
    return SharedState(
        loop=asyncio.get_running_loop(),
        application=ProbeApplication(),
        limits=limits(config),
        timeouts=timeouts,
        budget=BodyBudget(0),
        next_request_id=str,
    )


def _body_budget(config: Config) -> BodyBudget:
    """The budget for bodies, of which the last part is reserved for the oldest one to finish."""
    kept = min(config.body_buffer, config.body_memory // 8)
    return BodyBudget(config.body_memory - kept, overdraft=kept)


def _record(
    observers: Sequence[Callable[[Exchange], None]],
) -> Callable[[Exchange], None] | None:
    """The function to call at the end of each exchange; `None` without observers."""
    if len(observers) < 2:
        return observers[0] if observers else None

    def record(exchange: Exchange) -> None:
        for observe in observers:
            observe(exchange)

    return record
