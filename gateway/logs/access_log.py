"""The access log: one line per exchange.

The thread that ends an exchange formats its line, which takes a microsecond, and keeps nothing of
the exchange: keeping exchanges for later would cost more in garbage collection and cache misses.
Parts that repeat are cached: the text of a head on the head, which equal requests of a connection
share, and the text of the current time.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from json import JSONEncoder
from time import monotonic, time
from typing import Final, Literal, NamedTuple

from gateway.http.connection.exchange import Exchange
from gateway.http.message.head import RequestHead
from gateway.limits import KIB, MIB
from gateway.logs.colours import FAINT, YELLOW, colour_of, painted
from gateway.logs.line_buffer import LineBuffer
from gateway.logs.line_writer import LineWriter
from gateway.logs.redaction import QUERIES

_CLOSE_SECONDS: Final = 2.0
"""`close` gives up when the reader takes nothing for this long."""


class _Said(NamedTuple):
    """The client's part of a line; empty where the request could not be parsed."""

    client: str
    """The client's address; empty on a Unix socket."""
    method: str
    target: str
    version: str
    user_agent: str
    referer: str


class _Form(NamedTuple):
    """A format of lines; the output is printable ASCII except for its own colours."""

    ticks: int
    """The resolution of times, in ticks per second."""
    stamp: Callable[[int], str]
    """Formats a time in ticks since 1970."""
    escape: Callable[[str], str]
    """Escapes text that could forge a part of a line."""
    parts: Callable[[_Said], tuple[str, ...]]
    """Formats what depends on `_Said` alone, escaped, as the parts for `line`."""
    line: Callable[[Exchange, str, tuple[str, ...], float], str]
    """Formats the line of an exchange from a stamp, the parts and the duration in milliseconds."""
    dropped: Callable[[str, int], str]
    """Formats the line that replaces a number of dropped lines, with a stamp."""
    is_prompt: bool = False
    """Whether to write each line at once, because a person waits for it."""


class AccessLog:
    """Writes a line for each exchange to a descriptor."""

    def __init__(
        self,
        form: Literal["text", "json", "short"],
        descriptor: int,
        lock: int | None = None,
        *,
        query: Literal["redacted", "off", "full"] = "redacted",
        in_colour: bool = False,
        buffer: LineBuffer | None = None,
    ) -> None:
        """Take over `descriptor`; for `lock` and `buffer` see `LineWriter`, which `close` ends.

        `query` says how much of URL queries to show, see `redaction`.  `in_colour` applies to the
        short form only.
        """
        self._shown = QUERIES[query]
        self._form = _COLOURED if in_colour and form == "short" else _FORMS[form]
        self._ticks = self._form.ticks
        self._line = self._form.line
        self._offset = time() - monotonic()
        self._stamp = (0, "")
        """A time in ticks and its text, in one tuple so that threads replace both atomically."""
        self.writer = LineWriter(descriptor, self._tell_dropped, lock, buffer)
        """The writer, which other logs share."""
        self._put = self._put_at_once if self._form.is_prompt else self.writer.put
        if buffer is None and not self._form.is_prompt:
            self._put = self._put_soon  # A private buffer is lost if the process is killed.

    def add(self, exchange: Exchange) -> None:
        """Log an exchange that is over.  Safe in any thread."""
        peer = exchange.connection.peer
        head = exchange.head
        known = None if head is None else head.log_parts
        if known is None or known[0] is not peer:
            said = _said(head, _client(exchange), self._shown)
            known = (peer, self._form.parts(_escaped(said, self._form.escape)))
            if head is not None:
                head.log_parts = known
        finished_at = exchange.finished_at
        tick = int((finished_at + self._offset) * self._ticks)
        stamp = self._stamp
        if stamp[0] != tick:
            stamp = self._stamp = (tick, self._form.stamp(tick))
        duration = (finished_at - exchange.received_at) * 1000
        if duration < 0:  # The loop's clock is coarser than the clock of threads.
            duration = 0.0
        self._put(self._line(exchange, stamp[1], known[1], duration))

    def _put_at_once(self, line: str) -> None:
        self.writer.put(line)
        self.writer.flush()

    def _put_soon(self, line: str) -> None:
        self.writer.put(line)
        self.writer.rouse()

    def flush(self) -> None:
        """Start to write the queued lines; the sweep calls it a few times per second."""
        self._offset = time() - monotonic()
        self.writer.flush()

    def close(self) -> None:
        """Write the queued lines; lines that the reader does not take in time are lost."""
        self.writer.close(_CLOSE_SECONDS)

    def _tell_dropped(self, count: int) -> str:
        form = self._form
        return form.dropped(form.stamp(int(time() * form.ticks)), count)


def _client(exchange: Exchange) -> str:
    """The client's address; empty if it is unknown."""
    connection = exchange.connection
    client, head, proxies = connection.peer, exchange.head, connection.site.proxies
    if proxies is not None and head is not None:
        client = proxies.origin(head, connection).client
    return client[0] if client else ""


def _said(head: RequestHead | None, client: str, shown: Callable[[str], str]) -> _Said:
    if head is None:
        return _Said(client, "", "", "", "", "")
    agent = referer = b""
    for name, value in head.fields:
        if name.lower == b"user-agent":
            agent = value
        elif name.lower == b"referer":
            referer = value
    return _Said(
        client,
        head.method,
        shown(head.target),
        "HTTP/1.0" if head.is_http_1_0 else "HTTP/1.1",
        agent.decode("latin-1"),
        shown(referer.decode("latin-1")),
    )


def _escaped(said: _Said, escape: Callable[[str], str]) -> _Said:
    text = "".join(said)
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return said
    return _Said(*[escape(part) for part in said])


# Apache's combined format, followed by the request id, the milliseconds and the gateway's error
# code.


class _Escapes(dict[int, str | int]):
    """The replacement for each character code: a table is ten times as fast as a pattern."""

    def __missing__(self, code: int) -> str | int:
        is_plain = 0x20 <= code < 0x7F and code not in b'"\\'
        escape = code if is_plain else f"\\x{code:02x}"
        if code <= 0xFF:
            self[code] = escape
        return escape


_ESCAPES: Final = _Escapes()


def _text_escape(text: str) -> str:
    """Escape like Apache: other bytes, quotes and backslashes become hexadecimal."""
    return text.translate(_ESCAPES)


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # fmt: skip


def _text_stamp(second: int) -> str:
    at = datetime.fromtimestamp(second, UTC)
    # Not `%b`, which depends on the locale, which a handler may set.
    return f"{at.day:02}/{_MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S} +0000"


def _text_parts(said: _Said) -> tuple[str, ...]:
    request = f"{said.method} {said.target} {said.version}" if said.method else "-"
    return (
        f"{said.client or '-'} - - [",
        f'] "{request}" ',
        f' "{said.referer or "-"}" "{said.user_agent or "-"}" ',
    )


def _text_line(exchange: Exchange, stamp: str, parts: tuple[str, ...], duration: float) -> str:
    client, request, agent = parts
    return (
        f"{client}{stamp}{request}{exchange.status} {exchange.bytes_sent}{agent}"
        f"{exchange.request_id} {duration:.1f}ms{exchange.error and ' ' + exchange.error}\n"
    )


def _text_dropped(stamp: str, count: int) -> str:
    return f"[{stamp}] {count} lines are missing: the log was not read as fast as it came\n"


_TEXT: Final = _Form(1, _text_stamp, _text_escape, _text_parts, _text_line, _text_dropped)


# JSON objects; times in ISO 8601 and in milliseconds.

_quote: Final = JSONEncoder().encode


def _json_escape(text: str) -> str:
    """Escape for a JSON string, in printable ASCII: JSON itself does not escape DEL."""
    return _quote(text)[1:-1].replace("\x7f", "\\u007f")


def _json_stamp(millisecond: int) -> str:
    return datetime.fromtimestamp(millisecond / 1000, UTC).isoformat(timespec="milliseconds")


def _json_parts(said: _Said) -> tuple[str, ...]:
    return (
        f'", "client": "{said.client}", "method": "{said.method}", "target": "{said.target}", '
        f'"version": "{said.version}", "status": ',
        f', "user_agent": "{said.user_agent}", "referer": "{said.referer}", "duration_ms": ',
    )


def _json_line(exchange: Exchange, stamp: str, parts: tuple[str, ...], duration: float) -> str:
    request, agent = parts
    error = exchange.error and f', "error": "{exchange.error}"'
    return (
        f'{{"time": "{stamp}", "request_id": "{exchange.request_id}{request}{exchange.status}, '
        f'"bytes_sent": {exchange.bytes_sent}{agent}{duration:.3f}{error}}}\n'
    )


def _json_dropped(stamp: str, count: int) -> str:
    return f'{{"time": "{stamp}", "missing_lines": {count}}}\n'


_JSON: Final = _Form(1000, _json_stamp, _json_escape, _json_parts, _json_line, _json_dropped)


# Short lines for development.

_SLOW_MILLISECONDS: Final = 1000.0
"""Requests that take this long or longer are marked."""


def _short_stamp(second: int) -> str:
    return datetime.fromtimestamp(second).strftime("%H:%M:%S")  # Local time.


def _short_parts(said: _Said) -> tuple[str, ...]:
    # Spaces, too: the end of a target must not pass for a status.
    target = said.target.replace(" ", "\\x20")
    return (f" {said.method} {target} " if said.method else " - ",)


def _short_line(exchange: Exchange, stamp: str, parts: tuple[str, ...], duration: float) -> str:
    mark = " (slow)" if duration >= _SLOW_MILLISECONDS else ""
    return (
        f"{stamp}{parts[0]}{exchange.status} {_short_size(exchange.bytes_sent)} "
        f"{_short_duration(duration)}{mark}{exchange.error and ' ' + exchange.error}\n"
    )


def _coloured_line(exchange: Exchange, stamp: str, parts: tuple[str, ...], duration: float) -> str:
    status = exchange.status
    took = _short_duration(duration)
    return (
        f"{painted(stamp, FAINT)}{parts[0]}{painted(str(status), colour_of(status))} "
        f"{_short_size(exchange.bytes_sent)} "
        f"{painted(f'{took} (slow)', YELLOW) if duration >= _SLOW_MILLISECONDS else took}"
        f"{exchange.error and ' ' + exchange.error}\n"
    )


def _short_size(count: int) -> str:
    if count < 10_000:
        return f"{count} B"
    return f"{count / KIB:.1f} KB" if count < 10_000 * KIB else f"{count / MIB:.1f} MB"


def _short_duration(milliseconds: float) -> str:
    return f"{milliseconds:.1f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def _short_dropped(stamp: str, count: int) -> str:
    return f"{stamp} {count} lines are missing: the log was not read as fast as it came\n"


_SHORT: Final = _Form(
    1, _short_stamp, _text_escape, _short_parts, _short_line, _short_dropped, is_prompt=True
)
_COLOURED: Final = _SHORT._replace(line=_coloured_line)

_FORMS: Final = {"text": _TEXT, "json": _JSON, "short": _SHORT}
