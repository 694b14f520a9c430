"""Values of handlers' own classes, made into those of the built-in ones.

A subclass of `str` may say of itself what it likes: that it is ASCII, equal to something else, or
three characters long.  What is checked must be what is sent, so nothing of such a value is looked
at before it is one of exactly the built-in type.  These functions read what it holds and run none
of its methods.
"""

from typing import cast


def exact_text(value: str) -> str:
    """The text that `value` holds.

    Raises:
        TypeError: it is no text, whatever it says.
    """
    return str.__str__(value)


def exact_number(value: int) -> int:
    """The number that `value` holds; raises as `exact_text` does."""
    return int.__index__(value)


def exact_bytes(value: bytes | bytearray | memoryview) -> bytes:
    """The bytes that `value` holds; raises as `exact_text` does."""
    kind = type(value)
    if issubclass(kind, bytes):
        return bytes.__getitem__(cast("bytes", value), slice(None))
    if issubclass(kind, bytearray):
        return bytes(bytearray.__getitem__(cast("bytearray", value), slice(None)))
    if kind is memoryview:  # It has no subclasses.
        return bytes(value)
    raise TypeError(f"an object of type {kind.__name__} is no bytes")
