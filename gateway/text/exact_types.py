"""Converts values of handlers' own subclasses to the built-in types.

A subclass of `str` may lie about itself: that it is ASCII, equal to another text, or three
characters long.  What is checked must be what is sent, so such a value is converted to exactly the
built-in type before any check.  These functions read the stored data and run none of the value's
methods.
"""

from typing import cast


def exact_text(value: str) -> str:
    """The text that `value` stores.

    Raises:
        TypeError: it is not a `str`, whatever its methods claim.
    """
    return str.__str__(value)


def exact_number(value: int) -> int:
    """The number that `value` stores; raises TypeError if it is not an `int`."""
    return int.__index__(value)


def exact_bytes(value: bytes | bytearray | memoryview) -> bytes:
    """The bytes that `value` stores; raises TypeError if it has another type."""
    kind = type(value)
    if issubclass(kind, bytes):
        return bytes.__getitem__(cast("bytes", value), slice(None))
    if issubclass(kind, bytearray):
        return bytes(bytearray.__getitem__(cast("bytearray", value), slice(None)))
    if kind is memoryview:  # It cannot have subclasses.
        return bytes(value)
    raise TypeError(f"an object of type {kind.__name__} is no bytes")
