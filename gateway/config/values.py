"""Option values: text in, a typed value or one sentence of refusal out.

Every source (command line, environment, file) hands its values over as text and reads them with
the same `Kind`, so that a value means the same, and is refused in the same words, wherever it is
written.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

from gateway.errors import UsageError
from gateway.limits import KIB, MIB

T = TypeVar("T")

GIB = 1024 * MIB

# Function Compute counts its limits in 1024s and writes them KB and MB; so do we.
_UNITS = {"": 1, "b": 1, "kb": KIB, "kib": KIB, "mb": MIB, "mib": MIB, "gb": GIB, "gib": GIB}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)

# Far above any sensible setting, and far below where C integers and clocks overflow.
_LARGEST_SIZE = 1024 * GIB
_LONGEST = 365 * 24 * 3600.0

# 15 digits keep the conversion cheap whatever is pasted; no option takes as many.
_INTEGER = re.compile(r"-?[0-9]{1,15}")
_SIZE = re.compile(r"(-?[0-9]{1,15})(?:\.([0-9]{1,15}))? *([a-z]*)", re.IGNORECASE)
# The exponent is how Python writes a small or large TOML float.
_DURATION = re.compile(r"(-?[0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?) *([a-z]*)", re.IGNORECASE)
_MODE = re.compile(r"0?[0-7]{3}")
_METHOD = re.compile(r"[A-Z]{3,20}")
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


class ConfigError(UsageError):
    """A setting is wrong; the message says what, where, and how to mend it, in one line."""


class BadValueError(ValueError):
    """A text is no value of its kind; the message continues the sentence "'<text>' …"."""


class BadHandlerError(BadValueError):
    """As its parent, of the name of a handler: it is told in Function Compute's words."""


class SecretValueError(BadValueError):
    """As its parent, of a text that is not to be shown; the message is a sentence of its own."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value: how it is read, how it is shown.

    metavar: stands for the value in help and tables.
    read: text to value; raises BadValueError.
    show: value to a text that `read` takes.
    native: the TOML types a file may use besides a string.
    """

    metavar: str
    read: Callable[[str], T]
    show: Callable[[T], str] = str
    native: tuple[type, ...] = ()


def integer(minimum: int, maximum: int, metavar: str = "N") -> Kind[int]:
    """A whole number between the two, both included."""
    return Kind(metavar, partial(_read_integer, minimum, maximum), native=(int,))


AUTO: Final = -1
"""In place of a number: the gateway chooses one."""


def integer_or_auto(minimum: int, maximum: int) -> Kind[int]:
    """A whole number between the two, both included, or ``auto``."""

    def read_either(text: str) -> int:
        return AUTO if text.lower() == "auto" else _read_integer(minimum, maximum, text)

    def show(value: int) -> str:
        return "auto" if value == AUTO else str(value)

    return Kind("N|auto", read_either, show, native=(int,))


def size(minimum: int = 0) -> Kind[int]:
    """A number of bytes, not less than `minimum`: ``512``, ``8KB``, ``1.5 MiB``."""
    return Kind("SIZE", partial(_read_size, minimum), show_size, native=(int,))


def duration(minimum: float = 0.0, maximum: float = _LONGEST) -> Kind[float]:
    """Seconds between the two, both included: ``30``, ``1.5s``, ``500ms``, ``2m``, ``1h``."""
    read = partial(_read_duration, minimum, maximum)
    return Kind("TIME", read, show_duration, native=(int, float))


def duration_or_zero(minimum: float) -> Kind[float]:
    """Seconds, not less than `minimum`, or 0, which means that there is no limit."""
    return Kind(
        "TIME", partial(_read_duration_or_zero, minimum), show_duration, native=(int, float)
    )


def choice(*names: str) -> Kind[str]:
    """One of the names, in any case."""
    return Kind("|".join(names), partial(_read_choice, names))


def some_of(*known: str) -> Kind[tuple[str, ...]]:
    """Some of the names, with commas between them, in any case."""
    return Kind("NAME,…", partial(_read_names, known), ",".join, native=(list,))


def show_size(value: int) -> str:
    """The bytes in the largest unit that gives a whole number."""
    for unit, factor in (("GB", GIB), ("MB", MIB), ("KB", KIB)):
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return str(value)


def show_duration(value: float) -> str:
    """The seconds in a unit that reads well."""
    if value == 0:
        return "0"
    if value < 1:
        return f"{value * 1000:g}ms"
    if value % 3600 == 0:
        return f"{value / 3600:g}h"
    return f"{value:g}s"


def _read_integer(minimum: int, maximum: int, text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise BadValueError(f"is not a whole number; give one from {minimum} to {maximum}")
    return _within(int(text), minimum, maximum, str)


def _read_size(minimum: int, text: str) -> int:
    return _within(_count_bytes(text), minimum, _LARGEST_SIZE, show_size)


def _count_bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match[3].lower()) if match else None
    if match is None or unit is None:
        raise BadValueError("is not a size; give bytes or a number with KB, MB or GB, such as 32MB")
    whole, fraction = match[1], match[2] or ""
    scale: int = 10 ** len(fraction)
    count, rest = divmod(int(whole + fraction) * unit, scale)
    if rest:
        raise BadValueError("is not a whole number of bytes; round it")
    return count


def _read_duration(minimum: float, maximum: float, text: str) -> float:
    match = _DURATION.fullmatch(text.strip())
    unit = _SECONDS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise BadValueError(
            "is not a duration; give seconds or a number with ms, s, m or h, such as 30s"
        )
    return _within(float(match[1]) * unit, minimum, maximum, show_duration)


def _read_duration_or_zero(minimum: float, text: str) -> float:
    value = _read_duration(0.0, _LONGEST, text)
    if 0 < value < minimum:
        raise BadValueError(f"is too small; give 0 or at least {show_duration(minimum)}")
    return value


N = TypeVar("N", int, float)


def _within(value: N, minimum: N, maximum: N, show: Callable[[N], str]) -> N:
    if value < minimum:
        raise BadValueError(f"is too small; give at least {show(minimum)}")
    if value > maximum:
        raise BadValueError(f"is too large; give at most {show(maximum)}")
    return value


def _read_choice(names: tuple[str, ...], text: str) -> str:
    name = text.strip().lower()
    if name not in names:
        raise BadValueError(f"is not a choice here; give {', '.join(names[:-1])} or {names[-1]}")
    return name


def _read_switch(text: str) -> bool:
    value = _SWITCH.get(text.strip().lower())
    if value is None:
        raise BadValueError("is neither yes nor no; give true or false (also 1/0, yes/no, on/off)")
    return value


def _read_text(text: str) -> str:
    if not text.isprintable():
        raise BadValueError("holds a character that cannot be printed; remove it")
    return text


def _read_header_value(text: str) -> str:
    # RFC 9110 section 5.5: visible ASCII with single fields of space inside, none around.
    if not _HEADER_VALUE.fullmatch(text):
        raise BadValueError("is not a header value; give printable ASCII without spaces around it")
    return text


def _read_path(text: str) -> Path:
    if not text or "\0" in text:
        raise BadValueError("is not a path; give the path of a file or folder")
    return Path(text)


def _read_source(text: str) -> Path | str:
    if text.startswith("{"):  # What a file would hold.
        return _read_text(text)
    scheme, colon, rest = text.partition("://")
    if not colon:
        return _read_path(_read_text(text))
    if "@" in re.split("[/?#]", rest)[0]:
        raise SecretValueError("the URL names a user, which others could see; leave it out")
    from urllib.parse import urlsplit  # noqa: PLC0415 (start-up time: rarely needed)

    try:
        parts = urlsplit(text)
        is_url = scheme.lower() in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not text.isascii() or not text.isprintable() or " " in text:
        raise BadValueError("is not a URL; give one that begins with http, or the path of a file")
    return text


def _read_host(text: str) -> str:
    if not text or not text.isprintable() or " " in text or "/" in text:
        raise BadValueError("is not an address; give a name or an IP address, such as 127.0.0.1")
    if ":" in text:
        from ipaddress import IPv6Address  # noqa: PLC0415 (start-up time: rarely needed)

        try:
            IPv6Address(text)
        except ValueError:
            raise BadValueError(
                "is not an address; give it without port and brackets, such as 127.0.0.1 or ::1"
            ) from None
    return text


def _read_memory(text: str) -> int:
    # Function Compute gives a plain number of MB, unlike every other size here.
    plain = text.strip()
    count = _count_bytes(plain + "MB" if _INTEGER.fullmatch(plain) else plain)
    if count % MIB:
        raise BadValueError("is not a whole number of MB; give MB, such as 512 or 512MB")
    return _within(count // MIB, 1, _LARGEST_SIZE // MIB, str)


def _read_socket(text: str) -> Path | str:
    if not text.startswith("@"):
        return _read_path(text)
    if len(text) == 1 or not text.isprintable():
        raise BadValueError("is not the name of an abstract socket; give one such as @gateway")
    return text


def _items(text: str) -> list[str]:
    """The items of a list with commas, each once."""
    return list(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))


def _read_names(known: tuple[str, ...], text: str) -> tuple[str, ...]:
    chosen = _items(text.lower())
    if not chosen or not {*chosen} <= {*known}:
        raise BadValueError(f"is not a list of names here; give some of {','.join(known)}")
    return tuple(chosen)


def _read_methods(text: str) -> tuple[str, ...]:
    methods = _items(text.upper())
    if not all(map(_METHOD.fullmatch, methods)):
        raise BadValueError("is not a list of methods; give some such as GET,POST")
    return tuple(methods)


def _read_patterns(text: str) -> tuple[str, ...]:
    patterns = _items(text)
    if not text.isprintable() or any("/" in pattern for pattern in patterns):
        raise BadValueError("is not a list of file names; give some without folders, as *.html")
    return tuple(patterns)


def _read_networks(text: str) -> tuple[str, ...]:
    from gateway.proxies.networks import check_entry  # noqa: PLC0415 (start-up time: rarely needed)

    entries = []
    for item in _items(text):
        try:
            entries.append(check_entry(item))
        except ValueError as error:
            raise BadValueError(f"holds {item!r}, which {error}") from None
    return tuple(entries)


def _read_mode(text: str) -> int:
    # Octal, as chmod has it.  TOML's own numbers are none: 0o660 would come as 432.
    if not _MODE.fullmatch(text.strip()):
        raise BadValueError("is not a mode; give three octal digits as chmod has them, such as 660")
    return int(text.strip(), 8)


SWITCH = Kind("", _read_switch, lambda value: "true" if value else "false", native=(bool,))
# A whole number is no mistake where text is wanted: account ids have no letters.
TEXT = Kind("TEXT", _read_text, native=(int,))
HEADER_VALUE = Kind("TEXT", _read_header_value)
PATH = Kind("PATH", _read_path)
SOCKET = Kind("PATH|@NAME", _read_socket)
SOURCE = Kind("FILE|URL", _read_source)
HOST = Kind("HOST", _read_host)
MEMORY = Kind("MB", _read_memory, native=(int,))
NETWORKS = Kind("CIDR,…", _read_networks, ",".join, native=(list,))
PATTERNS = Kind("PATTERN,…", _read_patterns, ",".join, native=(list,))
METHODS = Kind("METHOD,…", _read_methods, ",".join, native=(list,))
MODE = Kind("MODE", _read_mode, lambda value: f"{value:o}")
