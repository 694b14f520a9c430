"""Every size limit, with its source beside it.  All are inclusive: a value at the limit passes."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request and its response, in bytes.

    The defaults are Function Compute's (documentation of its HTTP handlers, "Limits";
    FC counts 1 KB as 1024 bytes).
    """

    max_header_bytes: int = 8 * KIB
    """Sum of the lengths of all header names and values of a request."""

    max_path_bytes: int = 4 * KIB
    """Path and query, as they arrive, percent-encoded."""

    max_body: int = 32 * MIB
    """Body of a synchronous invocation."""

    max_async_body: int = 128 * KIB
    """Body of an asynchronous invocation (`X-Fc-Invocation-Type: Async`)."""

    max_response_header_bytes: int = 8 * KIB
    """Sum of the lengths of all header names and values that a handler sets."""

    body_buffer: int = 32 * MIB
    """A body up to here is complete before its handler starts; a larger one is streamed."""

    @property
    def max_head(self) -> int:
        """Raw bytes of a request head, beyond which it cannot be within the other limits.

        A field line takes at most four bytes more than FC counts (colon, space, CRLF) and
        counts at least one, so five times the header limit holds any head without padding.
        """
        return self.max_path_bytes + 5 * self.max_header_bytes + KIB
