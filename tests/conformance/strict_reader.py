"""A second reading of requests, from the grammar alone: whole conversations, by patterns.

It is slow, short and shares nothing with the gateway; tests hold the two against one another.
"""

import re
from typing import Any, Final

from conformance.cases import HIDDEN, Seen

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
_LINE: Final = re.compile(rb"([^\r\n]*)\r\n")
_METHOD: Final = rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|PATCH|PROPFIND|REPORT)"
_REQUEST_LINE: Final = re.compile(_METHOD + rb" ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])")
_FIELD_LINE: Final = re.compile(rb"(%b):(%b)" % (_TOKEN, _TEXT))
_ABSOLUTE: Final = re.compile(rb"(?i:http|https)://([^/?]*)(.*)")
_HOST: Final = re.compile(
    rb"(?:[-._~!$&'()*+,;=0-9A-Za-z]|%[0-9A-Fa-f]{2})+(?::[0-9]{0,5})?"
    rb"|\[[0-9A-Fa-f:.]+\](?::[0-9]{0,5})?"
)
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\%b)*"' % rb"[\t\x20-\x7e\x80-\xff]"
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(;%b(=(%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED))
_TRAILER_LINE: Final = re.compile(rb"(%b):%b" % (_TOKEN, _TEXT))
_NEVER_TRAILERS: Final = re.compile(
    rb"(?i)content-(length|type|encoding|range)|transfer-encoding|host|connection|keep-alive"
    rb"|proxy-(connection|authorization)|te|trailer|upgrade|expect|max-forwards|authorization"
    rb"|cookie|forwarded|via|x-forwarded-(for|host|port|proto)|x-real-ip"
)

_MOST_EMPTY_LINES: Final = 512
_MOST_FIELDS: Final = 512
_MOST_SIZE_LINE: Final = 254


class _NotRead(Exception):
    """The bytes are no request, or only the beginning of one."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def line(self) -> bytes:
        match = _LINE.match(self.data, self.place)
        if match is None:
            raise _NotRead("no line")
        self.place = match.end()
        return match[1]

    def take(self, size: int) -> bytes:
        if self.place + size > len(self.data):
            raise _NotRead("bytes are missing")
        self.place += size
        return self.data[self.place - size : self.place]

    def request(self) -> tuple[Seen, bool]:
        """The next request, and whether another may follow."""
        for _ in range(_MOST_EMPTY_LINES + 1):
            line = self.line()
            if line:
                break
        first = _must(_REQUEST_LINE.fullmatch(line))
        fields = []
        while line := self.line():
            match = _must(_FIELD_LINE.fullmatch(line))
            fields.append((match[1].lower().decode(), match[2].strip(b" \t"), match[2]))
            _must(len(fields) <= _MOST_FIELDS)
        fields = [field for field in fields if "_" not in field[0]]
        target, host = _whose(
            first[1], first[2], [value for name, value, _ in fields if name == "host"]
        )
        is_old = first[3] == b"0"
        if host is None:
            _must(is_old)
        _must([name for name, _, _ in fields].count("content-type") < 2)
        for name, value, _ in fields:
            if name == "expect":
                _must(value.lower() == b"100-continue")
        body = self.body(fields, is_old)
        options = b",".join(value for name, value, _ in fields if name == "connection").split(b",")
        names = {option.strip(b" \t").lower() for option in options}
        persists = b"close" not in names and (not is_old or b"keep-alive" in names)
        kept = tuple(
            (name, value.decode("latin-1")) for name, value, _ in fields if name not in HIDDEN
        )
        return Seen(
            first[1].decode(), target.decode(), (host or b"").decode(), body, kept
        ), persists

    def body(self, fields: list[tuple[str, bytes, bytes]], is_old: bool) -> bytes:
        lengths = [value for name, value, _ in fields if name == "content-length"]
        codings = [raw for name, _, raw in fields if name == "transfer-encoding"]
        if codings:
            # The parser knows no tab behind a coding for white space.
            _must(len(codings) == 1 and not is_old and not lengths)
            _must(re.fullmatch(rb"(?i)[ \t]*chunked *", codings[0]))
            return self.chunks()
        if lengths:
            _must(len(lengths) == 1 and re.fullmatch(rb"[0-9]+", lengths[0]))
            return self.take(int(lengths[0]))
        return b""

    def chunks(self) -> bytes:
        body = b""
        while True:
            line = self.line()
            _must(len(line) <= _MOST_SIZE_LINE)
            size = int(_must(_SIZE_LINE.fullmatch(line))[1], 16)
            if not size:
                break
            body += self.take(size)
            _must(self.take(2) == b"\r\n")
        while line := self.line():
            name = _must(_TRAILER_LINE.fullmatch(line))[1]
            _must(not _NEVER_TRAILERS.fullmatch(name))
        return body


def _must(what: Any) -> Any:
    if not what:
        raise _NotRead("broken rule")
    return what


def _whose(method: bytes, target: bytes, hosts: list[bytes]) -> tuple[bytes, bytes | None]:
    """The target without its authority, and whom the request is for."""
    _must(len(hosts) < 2 and all(not host or _HOST.fullmatch(host) for host in hosts))
    _must(b"\\" not in target.partition(b"?")[0])
    if target[:1] == b"/" or (target == b"*" and method == b"OPTIONS"):
        return target, hosts[0] if hosts else None
    match = _must(_ABSOLUTE.fullmatch(target))
    _must(_HOST.fullmatch(match[1]))
    _must(hosts or None)
    return match[2] if match[2][:1] == b"/" else b"/" + match[2], match[1]


def read(data: bytes) -> tuple[list[Seen], bool]:
    """The requests in all that a client sends before it half-closes; whether one is refused."""
    reader = _Reader(data)
    seen = []
    persists = True
    while persists:
        if not data[reader.place :].strip(b"\r\n"):
            return seen, False
        try:
            request, persists = reader.request()
        except _NotRead:
            return seen, True
        seen.append(request)
    return seen, False
