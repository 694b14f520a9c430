"""What is said about an option, and how it is kept on a field of a dataclass."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from gateway.config.values import SWITCH, Kind

T = TypeVar("T")

PREFIX = "GATEWAY_"
"""Starts the name of every environment variable of the gateway."""


class Group(NamedTuple):
    """A heading in help and on the settings page."""

    title: str
    intro: str


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names in all sources, its default, its kind of value and its help.

    name: of the field of `Config`, and the key in a file.
    metavar: stands for the value; "" for a switch, which takes none on the command line.
    fallback: environment variable used when no other source sets the option.
    in_file: whether a file may set it.
    brief: its line in the short help; "": it is in the long one only.
    is_fixed: whether it is taken at the start only, and not by a reload.
    """

    name: str
    default: Any
    kind: Kind[Any]
    help: str
    group: Group
    metavar: str
    fallback: str | None
    positional: bool
    in_file: bool
    is_fixed: bool
    brief: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return self.metavar if self.positional else "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()

    @property
    def negation(self) -> str:
        """The opposite of its flag, when it is a switch."""
        return "--no-" + self.flag.removeprefix("--")

    @property
    def is_switch(self) -> bool:
        """Whether it stands on the command line without a value."""
        return self.kind is SWITCH

    @property
    def shown_default(self) -> str:
        """The default as a source would write it; "" when there is none or it is empty."""
        return "" if self.default is None else self.kind.show(self.default)

    @property
    def usage(self) -> str:
        """How it is written on the command line."""
        if self.positional:
            return self.metavar
        if self.is_switch:
            return f"{self.flag}, {self.negation}"
        return f"{self.flag} {self.metavar}"


def option(
    default: T,
    *,
    kind: Kind[Any],
    help: str,  # noqa: A002 (its name everywhere else, too)
    group: Group,
    metavar: str | None = None,
    fallback: str | None = None,
    positional: bool = False,
    in_file: bool = True,
    is_fixed: bool = False,
    brief: str = "",
) -> T:
    """A field of `Config`; the arguments are described at `Option`."""
    about = {
        "kind": kind,
        "help": help,
        "group": group,
        "metavar": kind.metavar if metavar is None else metavar,
        "fallback": fallback,
        "positional": positional,
        "in_file": in_file,
        "is_fixed": is_fixed,
        "brief": brief,
    }
    made: T = field(default=default, metadata=about)
    return made
