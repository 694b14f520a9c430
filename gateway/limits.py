"""All size limits, with their sources.  They are inclusive: a value at the limit passes."""

from dataclasses import dataclass, field

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
    """Path and query as they arrive, percent-encoded."""

    max_body: int = 32 * MIB
    """Body of a synchronous invocation."""

    max_async_body: int = 128 * KIB
    """Body of an asynchronous invocation (`X-Fc-Invocation-Type: Async`)."""

    max_response_header_bytes: int = 8 * KIB
    """Sum of the lengths of all header names and values that a handler sets."""

    body_buffer: int = 32 * MIB
    """A body up to this size is complete before its handler starts; a larger one is streamed."""

    max_header_fields: int = 512
    """Header fields of a request, and fields of a trailer section.  The gateway's own limit: FC
    has none.  Each field costs the loop a microsecond, however small it is."""

    small_head: int = field(init=False)
    """A head of up to this many raw bytes cannot break the limits on path, header bytes and
    fields."""

    def __post_init__(self) -> None:
        least_line = len("A:\r\n")
        small = min(self.max_path_bytes, self.max_header_bytes, least_line * self.max_header_fields)
        object.__setattr__(self, "small_head", small)

    @property
    def max_head(self) -> int:
        """A head of more raw bytes than this must break one of the other limits.

        A field line has at most four bytes more than FC counts (colon, space, CRLF), and counts
        at least one.  One KiB is for the rest of the request line and for padding.
        """
        fields = min(self.max_header_fields, self.max_header_bytes)
        return self.max_path_bytes + self.max_header_bytes + 4 * fields + KIB
