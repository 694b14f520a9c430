"""Request header fields: what each name means to the gateway, and how many fields are kept.

A client may send any number of different names, so the memory of them is bounded.  Nor may many
small fields cost much more memory than they have bytes: see `PackedFields`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from gateway.bounded_cache import BoundedCache
from gateway.errors import MalformedRequest
from gateway.fc import names

# What a field does beyond being handed on.  Plain numbers: members of an Enum cost 0.1 µs a look
# on CPython 3.11, and each field of each request takes several.
ORDINARY: Final = 0
DROPPED: Final = 1
HOST: Final = 2
CONTENT_LENGTH: Final = 3
CONTENT_TYPE: Final = 4
TRANSFER_ENCODING: Final = 5
EXPECT: Final = 6
INVOCATION_TYPE: Final = 7
LOG_TYPE: Final = 9
TOLD: Final = 10
"""Handed on, and kept apart as well: the words of the platform in front."""

_ROLES: Final = {
    b"host": HOST,
    b"content-length": CONTENT_LENGTH,
    b"content-type": CONTENT_TYPE,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"expect": EXPECT,
    names.INVOCATION_TYPE.lower().encode(): INVOCATION_TYPE,
    names.LOG_TYPE.lower().encode(): LOG_TYPE,
}

_MOST_REMEMBERED: Final = 512
_LONGEST_REMEMBERED: Final = 64

FEW: Final = 48
"""Fields of a head that are kept ready for use; browsers behind two proxies send some 35."""


class FieldName:
    """One field name: as ASGI wants it, as CGI's environ wants it, and its role."""

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

    Names with `_` are dropped: in environ they would pass for the name with `-`, which a proxy
    in front may have set or checked (RFC 3875 §4.1.18 maps both to one).  `is_withheld` says of
    a name, in lower case, whether the application must not see it for other reasons; `is_told`,
    whether it is the platform's, whose words the gateway reads and hands on.
    """

    __slots__ = ("_is_told", "_is_withheld")

    def __init__(
        self,
        is_withheld: Callable[[bytes], bool],
        is_told: Callable[[bytes], bool] | None = None,
    ) -> None:
        super().__init__(_MOST_REMEMBERED)
        self._is_withheld = is_withheld
        self._is_told = is_told

    def __missing__(self, spelling: bytes) -> FieldName:
        name = self.classify(spelling.lower())
        if len(spelling) <= _LONGEST_REMEMBERED:
            self.remember(spelling, name)
        return name

    def classify(self, lower: bytes) -> FieldName:
        """The name, in lower case, looked at anew and not remembered."""
        if self._is_dropped(lower):
            return FieldName(lower, DROPPED)
        if self._is_told is not None and self._is_told(lower):
            return FieldName(lower, TOLD)
        return FieldName(lower, _ROLES.get(lower, ORDINARY))

    def _is_dropped(self, lower: bytes) -> bool:
        return b"_" in lower or (self._is_told is None and self._is_withheld(lower))

    def sift(
        self, lines: Sequence[tuple[bytes, bytes]]
    ) -> "tuple[list[tuple[bytes, bytes]], tuple[PackedFields, PackedFields | None]]":
        """Of the many field lines of one head: those with a role, and what is kept of all.

        The second is what is handed on, and what is kept apart.  For hundreds of names that are not
        known this takes a third of the time that it takes to look at each in the plain way.

        Raises:
            MalformedRequest: a value has a line break.  The parser lets none through.
        """
        noted, kept, apart = [], [], []
        is_dropped = self._is_dropped
        is_told = self._is_told or _is_never
        for spelling, value in lines:
            line = (spelling.lower(), value.rstrip(b" \t"))
            lower = line[0]
            if is_dropped(lower):
                apart.append(line)
                continue
            kept.append(line)
            if is_told(lower):
                apart.append(line)
            elif lower in _ROLES:
                noted.append(line)
        withheld = PackedFields(apart, self) if apart else None
        return noted, (PackedFields(kept, self), withheld)


def _is_never(_: bytes) -> bool:
    return False


class PackedFields:
    """Many fields in about as many bytes as they came in.

    As tuples of a name and a value, fields of two bytes cost thirty times as much, for as long as
    a request waits for its body or for a thread.  Each look makes those tuples again.
    """

    __slots__ = ("_count", "_lines", "_names")

    def __init__(self, lines: Sequence[tuple[bytes, bytes]], names: FieldNames) -> None:
        """Of names in lower case and values; `names` knows what they mean."""
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
        """Names in lower case and values, in a fifth of the time that their meanings take."""
        return unpack_lines(self._lines)


Fields = list[tuple[FieldName, bytes]] | PackedFields


def lines_of(fields: Fields | None) -> list[tuple[bytes, bytes]]:
    """Names in lower case and values, for who knows by the names what to do."""
    if isinstance(fields, PackedFields):
        return fields.lines()
    return [(name.lower, value) for name, value in fields or ()]


def pack_lines(lines: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Names and values as one string of bytes; raises as `FieldNames.sift` does."""
    packed = b"".join([b"%b:%b\n" % line for line in lines])
    if packed.count(b"\n") != len(lines):
        raise MalformedRequest("a header field contains a line break")
    return packed


def unpack_lines(packed: bytes) -> list[tuple[bytes, bytes]]:
    """What `pack_lines` has packed: no name has a colon, no value a line break."""
    lines = []
    for line in packed.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        lines.append((name, value))
    return lines
