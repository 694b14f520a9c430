"""Names of request header fields: what each means to the gateway, decided once per name.

A client may send any number of different names, so the memory of them is bounded: beyond the
bound a name is classified anew each time.
"""

from collections.abc import Callable
from typing import Final

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


class FieldName:
    """One field name: as ASGI wants it, as CGI's environ wants it, and its role."""

    __slots__ = ("environ_key", "lower", "role")

    def __init__(self, lower: bytes, role: int) -> None:
        self.lower = lower
        self.role = role
        key = lower.decode("latin-1").upper().replace("-", "_")
        is_cgi_name = role in (CONTENT_LENGTH, CONTENT_TYPE)  # RFC 3875 §4.1.18
        self.environ_key = key if is_cgi_name else "HTTP_" + key

    def __repr__(self) -> str:
        return f"<FieldName {self.lower!r} {self.role}>"


class FieldNames(dict[bytes, FieldName]):
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
        super().__init__()
        self._is_withheld = is_withheld
        self._is_told = is_told

    def __missing__(self, spelling: bytes) -> FieldName:
        lower = spelling.lower()
        if b"_" in lower or (self._is_told is None and self._is_withheld(lower)):
            role = DROPPED
        elif self._is_told is not None and self._is_told(lower):
            role = TOLD
        else:
            role = _ROLES.get(lower, ORDINARY)
        name = FieldName(lower, role)
        if len(self) < _MOST_REMEMBERED:
            self[spelling] = name
        return name
