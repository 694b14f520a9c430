"""The access log: one line per exchange, built and written off the hot path, in batches.

The threads that finish exchanges only append them to a queue; the sweep on the loop turns what has
come into lines and writes them with one call.
"""

import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic, time
from typing import Literal, Protocol

from gateway.http.exchange import Exchange
from gateway.observe.record import ExchangeRecord

_CONTROL = {code: f"\\x{code:02x}" for code in [*range(0x20), 0x22, 0x5C, *range(0x7F, 0xA0)]}
"""Characters that could end or forge a line, or steer a terminal, and how they are shown."""


class Output(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...


class AccessLog:
    """Writes records as text or JSON lines.  `add` may be called from any thread."""

    def __init__(self, form: Literal["text", "json"], output: Output) -> None:
        self._format = format_json if form == "json" else format_text
        self._output = output
        self._ended: deque[Exchange] = deque()
        self.add: Callable[[Exchange], None] = self._ended.append
        """Take an exchange that is over."""

    def flush(self) -> None:
        """Write what has come, on the loop."""
        if not self._ended:
            return
        offset = time() - monotonic()
        lines = []
        while self._ended:
            exchange = self._ended.popleft()
            lines.append(self._format(record_of(exchange), exchange.finished_at + offset))
        self._output.write("".join(lines))
        self._output.flush()


def record_of(exchange: Exchange) -> ExchangeRecord:
    """The record of an exchange that is over."""
    head = exchange.head
    peer = exchange.connection.peer
    agent = referer = ""
    if head is not None:
        for name, value in head.fields:
            if name.lower == b"user-agent":
                agent = value.decode("latin-1")
            elif name.lower == b"referer":
                referer = value.decode("latin-1")
    return ExchangeRecord(
        request_id=exchange.request_id,
        client=peer[0] if peer else "",
        method=head.method if head else "",
        target=head.target if head else "",
        version=("HTTP/1.0" if head.is_http_1_0 else "HTTP/1.1") if head else "",
        status=exchange.status,
        bytes_sent=exchange.bytes_sent,
        duration=max(0.0, exchange.finished_at - exchange.received_at),
        user_agent=agent,
        referer=referer,
    )


def format_text(record: ExchangeRecord, at: float) -> str:
    """The line in the combined format of Apache, with request id and milliseconds behind it."""
    when = datetime.fromtimestamp(at, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    request = f"{record.method} {record.target} {record.version}" if record.method else "-"
    referer = _escape(record.referer) or "-"
    agent = _escape(record.user_agent) or "-"
    return (
        f'{record.client or "-"} - - [{when}] "{_escape(request)}" {record.status} '
        f'{record.bytes_sent} "{referer}" "{agent}" '
        f"{record.request_id} {record.duration * 1000:.1f}ms\n"
    )


def format_json(record: ExchangeRecord, at: float) -> str:
    """The record as one JSON object; times in ISO 8601 and in milliseconds."""
    when = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    fields = record._asdict()
    duration = round(fields.pop("duration") * 1000, 3)
    return json.dumps({"time": when, **fields, "duration_ms": duration}) + "\n"


def _escape(text: str) -> str:
    return text.translate(_CONTROL)
