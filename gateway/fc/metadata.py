"""Fields in which a response describes its invocation (`--fc-headers full`).

Names and forms are those of FC's responses: whole milliseconds, rounded up; megabytes with two
decimals; the version that ran, or `LATEST`.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from gateway.fc import names
from gateway.fc.context import Service

MIB: Final = 1024 * 1024


class InvocationMetadata:
    """Makes the fields for the invocations of one process."""

    def __init__(
        self, instance_id: str, code_checksum: str, peak_memory: Callable[[], int]
    ) -> None:
        """`peak_memory` returns the process's peak memory in bytes."""
        self._constant = [
            (names.INSTANCE_ID, instance_id),
            (names.CODE_CHECKSUM, code_checksum),
        ]
        self._peak_memory = peak_memory

    def fields(self, seconds: float, service: Service) -> list[tuple[str, str]]:
        """The fields of an invocation that ran for `seconds` before its response began."""
        return [
            (names.INVOCATION_DURATION, str(max(1, ceil(seconds * 1000)))),
            (names.MAX_MEMORY_USAGE, f"{self._peak_memory() / MIB:.2f}"),
            (names.INVOCATION_SERVICE_VERSION, version_of(service)),
            *self._constant,
        ]


def version_of(service: Service) -> str:
    """The version that runs: known, or named by its number; an alias does not reveal it."""
    qualifier = service.qualifier
    if service.version_id:
        return service.version_id
    return qualifier if qualifier.isascii() and qualifier.isdigit() else names.LATEST
