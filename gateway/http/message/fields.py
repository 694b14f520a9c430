"""Request header fields: what each name means to the gateway, and how fields are kept in memory.

A client may send any number of different names, so the cache of names is bounded.  Many small
fields must not take much more memory than they have bytes: see `PackedFields`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from gateway.bounded_cache import BoundedCache
from gateway.errors import MalformedRequest
from gateway.fc import names

# The role of a field.  Plain numbers: a member of an Enum costs 0.1 µs per access on CPython 3.11,
# and each field of each request takes several.
ORDINARY: Final = 0
DROPPED: Final = 1
HOST: Final = 2
CONTENT_LENGTH: Final = 3
CONTENT_TYPE: Final = 4
TRANSFER_ENCODING: Final = 5
EXPECT: Final = 6
INVOCATION_TYPE: Final = 7
LOG_TYPE: Final = 9
PLATFORM: Final = 10
"""Set by the platform in front: the application sees it, and the gateway keeps it apart as well."""

_ROLES: Final = {
    b"host": HOST,
    b"content-length": CONTENT_LENGTH,
    b"content-type": CONTENT_TYPE,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"expect": EXPECT,
    names.INVOCATION_TYPE.lower().encode(): INVOCATION_TYPE,
    names.LOG_TYPE.lower().encode(): LOG_TYPE,
}

_MAX_NAMES: Final = 512
_MAX_NAME_BYTES: Final = 64

MAX_UNPACKED: Final = 48
"""Fields of a head that are kept unpacked; browsers behind two proxies send some 35."""


class FieldName:
    """One field name: in lower case (ASGI), as a key of environ (CGI), and its role."""

    __slots__ = ("environ_key", "lower", "role")

    def __init__(self, lower: bytes, role: int) -> None:
        self.lower = lower
        self.role = role
        key = lower.upper().replace(b"-", b"_").decode("latin-1")
        is_cgi_name = role in (CONTENT_LENGTH, CONTENT_TYPE)  # RFC 3875 §4.1.18
        self.environ_key = key if is_cgi_name else "HTTP_" + key

    def __repr__(self) -> str:
        return f"<FieldName {self.lower!r} {self.role}>"


class FieldNames(BoundedCache[bytes, FieldName]):
    """Field names by their spelling on the wire: non-empty tokens of RFC 9110 §5.6.2, any case.

    Names with `_` are dropped: in environ they would look like the name with `-`, which a proxy in
    front may have set or checked (RFC 3875 §4.1.18 maps both to one key).  Both predicates take a
    name in lower case.  `is_withheld`: the application must not see the field, for other reasons.
    `is_platform`: the platform sets the field; gateway and application see it.
    """

    __slots__ = ("_is_platform", "_is_withheld")

    def __init__(
        self,
        is_withheld: Callable[[bytes], bool],
        is_platform: Callable[[bytes], bool] | None = None,
    ) -> None:
        super().__init__(_MAX_NAMES)
        self._is_withheld = is_withheld
        self._is_platform = is_platform

    def __missing__(self, spelling: bytes) -> FieldName:
        name = self.classify(spelling.lower())
        if len(spelling) <= _MAX_NAME_BYTES:
            self.remember(spelling, name)
        return name

    def classify(self, lower: bytes) -> FieldName:
        """The field name of `lower`, a name in lower case; not cached."""
        if self._is_dropped(lower):
            return FieldName(lower, DROPPED)
        if self._is_platform is not None and self._is_platform(lower):
            return FieldName(lower, PLATFORM)
        return FieldName(lower, _ROLES.get(lower, ORDINARY))

    def _is_dropped(self, lower: bytes) -> bool:
        return b"_" in lower or (self._is_platform is None and self._is_withheld(lower))

    def sift(
        self, lines: Sequence[tuple[bytes, bytes]]
    ) -> "tuple[list[tuple[bytes, bytes]], tuple[PackedFields, PackedFields | None]]":
        """Sort the many field lines of one head.

        Returns the lines with a role, and two packs: the fields for the application, and those that
        are kept apart.  With hundreds of unknown names this takes a third of the time of
        `RequestHead.set_fields`.

        Raises:
            MalformedRequest: a value has a line break.  The parser lets none through.
        """
        noted, kept, apart = [], [], []
        is_dropped = self._is_dropped
        is_platform = self._is_platform or _is_never
        for spelling, value in lines:
            line = (spelling.lower(), value.rstrip(b" \t"))
            lower = line[0]
            if is_dropped(lower):
                apart.append(line)
                continue
            kept.append(line)
            if is_platform(lower):
                apart.append(line)
            elif lower in _ROLES:
                noted.append(line)
        withheld = PackedFields(apart, self) if apart else None
        return noted, (PackedFields(kept, self), withheld)


def _is_never(_: bytes) -> bool:
    return False


class PackedFields:
    """Many fields in about as many bytes as they had on the wire.

    As tuples of name and value, fields of two bytes would take thirty times as much memory while
    a request waits for its body or for a thread.  Each iteration makes the tuples anew.
    """

    __slots__ = ("_count", "_lines", "_names")

    def __init__(self, lines: Sequence[tuple[bytes, bytes]], names: FieldNames) -> None:
        """`lines` are names in lower case with their values; `names` knows their roles."""
        self._names = names
        self._count = len(lines)
        self._lines = pack_lines(lines)

    def __repr__(self) -> str:
        return f"<PackedFields {self._count}>"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[FieldName, bytes]]:
        names = self._names
        for lower, value in unpack_lines(self._lines):
            yield names.get(lower) or names.classify(lower), value

    def lines(self) -> list[tuple[bytes, bytes]]:
        """Names in lower case with their values, without roles: five times as fast as iterating."""
        return unpack_lines(self._lines)


Fields = list[tuple[FieldName, bytes]] | PackedFields


def lines_of(fields: Fields | None) -> list[tuple[bytes, bytes]]:
    """Names in lower case with their values, without roles."""
    if isinstance(fields, PackedFields):
        return fields.lines()
    return [(name.lower, value) for name, value in fields or ()]


def pack_lines(lines: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Join names and values into one string of bytes.

    Raises:
        MalformedRequest: a value has a line break.
    """
    packed = b"".join([b"%b:%b\n" % line for line in lines])
    if packed.count(b"\n") != len(lines):
        raise MalformedRequest("a header field contains a line break")
    return packed


def unpack_lines(packed: bytes) -> list[tuple[bytes, bytes]]:
    """The lines that `pack_lines` has packed: no name has a colon, no value a line break."""
    lines = []
    for line in packed.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        lines.append((name, value))
    return lines
