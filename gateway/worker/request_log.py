"""Wiring: the log of requests that the settings ask for."""

import os
import sys

from gateway.config import Config
from gateway.errors import UsageError
from gateway.logs.access_log import AccessLog
from gateway.logs.colours import wants_colour
from gateway.logs.line_buffer import LineBuffer


def open_access_log(
    config: Config, lock: int | None, buffer: LineBuffer | None = None
) -> AccessLog | None:
    """The access log on standard output, if there is to be one; for the others see `LineWriter`.

    Raises:
        UsageError: there is no standard output.
    """
    if config.access_log == "off":
        return None
    descriptor = standard_output("--access-log")
    in_colour = wants_colour(os.environ, is_terminal=os.isatty(descriptor))
    return AccessLog(
        config.access_log,
        descriptor,
        lock,
        query=config.log_query,
        in_colour=in_colour,
        buffer=buffer,
    )


def standard_output(option: str) -> int:
    """A descriptor of standard output that is our own: the handler may close the one it knows.

    Raises:
        UsageError: there is none, so `option` cannot be.
    """
    output = sys.__stdout__  # The handler may have put something else in the place of the other.
    try:
        descriptor = os.dup(output.fileno())  # type: ignore[union-attr]  # None is caught below
    except (AttributeError, OSError, ValueError) as error:
        raise UsageError(f"{option}: there is no standard output to write to") from error
    return descriptor
