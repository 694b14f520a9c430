"""What Function Compute tells of an invocation in the fields of its answer (`--fc-headers full`).

Names and forms are those of FC's answers: whole milliseconds, rounded up; megabytes with two
decimals; the version that was run, or `LATEST`.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from gateway.fc import names
from gateway.fc.context import Service

MIB: Final = 1024 * 1024


class InvocationMetadata:
    """The fields, for the invocations of one process."""

    def __init__(
        self, instance_id: str, code_checksum: str, peak_memory: Callable[[], int]
    ) -> None:
        """`peak_memory`: how much memory the process has taken at the most, in bytes."""
        self._constant = [
            (names.INSTANCE_ID, instance_id),
            (names.CODE_CHECKSUM, code_checksum),
        ]
        self._peak_memory = peak_memory

    def fields(self, seconds: float, service: Service) -> list[tuple[str, str]]:
        """Of an invocation that ran for `seconds` before its answer began."""
        return [
            (names.INVOCATION_DURATION, str(max(1, ceil(seconds * 1000)))),
            (names.MAX_MEMORY_USAGE, f"{self._peak_memory() / MIB:.2f}"),
            (names.INVOCATION_SERVICE_VERSION, version_of(service)),
            *self._constant,
        ]


def version_of(service: Service) -> str:
    """The version that is run: known, or named by its number; an alias does not tell it."""
    qualifier = service.qualifier
    if service.version_id:
        return service.version_id
    return qualifier if qualifier.isascii() and qualifier.isdigit() else names.LATEST
