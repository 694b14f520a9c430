"""The texts of ``--help`` and ``gateway help``."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from textwrap import wrap
from typing import Final, NamedTuple

from gateway.config.definition import Option
from gateway.config.options import OPTIONS, grouped
from gateway.config.sources import Settings

_NARROWEST: Final = 40
_WIDEST: Final = 100
"""Columns; longer lines are hard to read."""
_COLUMN: Final = 26
"""Where descriptions begin beside what they describe."""
_LEAST_BESIDE: Final = 34
"""Columns that a description needs to stand beside and not below."""

_ORDER: Final = (
    "The command line goes before environment variables, those before the file given by --config, "
    "that before the one given by --project, and that before the defaults in brackets."
)


class Page:
    """A text that is made for a terminal: as wide as that is, and in colours where it has some."""

    def __init__(self, width: int, *, colours: bool = False) -> None:
        """`width` is in columns."""
        self._width = max(_NARROWEST, min(width, _WIDEST))
        self._has_colours = colours
        self._lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def gap(self) -> None:
        """Leave a line free."""
        self._lines.append("")

    def usage(self, text: str) -> None:
        """How a command is typed."""
        self._lines.append(f"{self._bold('Usage:')} {text}")

    def heading(self, title: str, intro: str = "") -> None:
        """The beginning of a section, with a free line before it."""
        self.gap()
        first, *others = self._wrapped(f"{title}: {intro}" if intro else title)
        self._lines += [self._bold(title) + first.removeprefix(title), *others]

    def text(self, text: str, indent: int = 0) -> None:
        """A paragraph."""
        self._lines += self._wrapped(text, indent)

    def entry(self, name: str, description: str) -> None:
        """What is described, and beside it, or below where there is no room, the description."""
        column = _COLUMN if self._width >= _COLUMN + _LEAST_BESIDE else 6
        lines = self._wrapped(description, column)
        head = f"  {name}"
        if len(head) + 2 <= column:
            lines[0] = self._cyan(head) + lines[0][len(head) :]
        else:
            lines.insert(0, self._cyan(head))
        self._lines += lines

    def entry_above(self, name: str, description: str, note: str) -> None:
        """What is described, and below it the description and a note."""
        self._lines.append(self._cyan(f"  {name}"))
        self.text(description, 6)
        self.text(note, 6)

    def _wrapped(self, text: str, indent: int = 0) -> list[str]:
        space = " " * indent
        return wrap(
            text,
            self._width,
            initial_indent=space,
            subsequent_indent=space,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._has_colours else text

    def _cyan(self, text: str) -> str:
        return f"\x1b[36m{text}\x1b[0m" if self._has_colours else text


class Command(NamedTuple):
    """A command, as the help tells of it."""

    sentence: str
    """What it does."""
    arguments: str = "[TARGET] [options]"
    """What may stand behind its name."""
    takes_settings: bool = True
    """Whether these are the options."""
    defaults: Settings | None = None
    """Its own, for some of the options."""
    about: str = ""
    """What else is to be told of it."""
    entries: Iterable[tuple[str, str]] = ()
    """Names and descriptions below that."""


def write_overview(page: Page, commands: Mapping[str, Command], *, is_long: bool = False) -> None:
    """Tell of the gateway as a whole, and of the options of most of its commands."""
    page.usage("gateway COMMAND [TARGET] [options]")
    page.gap()
    page.text("Runs Python WSGI handlers the way Alibaba Function Compute does.")
    page.heading("Commands")
    for name, command in commands.items():
        page.entry(f"gateway {name}", command.sentence)
    if is_long:
        _write_all_options(page, {})
    else:
        _write_brief_options(page, {})
        _write_more(page, "gateway help all")


def write_command(page: Page, name: str, command: Command, *, is_long: bool = False) -> None:
    """Tell of a command with the options that people use; with `is_long` with every option."""
    page.usage(f"gateway {name} {command.arguments}".rstrip())
    page.gap()
    page.text(command.sentence)
    if command.about:
        page.gap()
        page.text(command.about)
    if command.entries:
        page.gap()
    for entry in command.entries:
        page.entry(*entry)
    if not command.takes_settings:
        return
    if is_long:
        _write_all_options(page, command.defaults or {})
    else:
        _write_brief_options(page, command.defaults or {})
        _write_more(page, f"gateway help {name} all")


def _write_more(page: Page, typed: str) -> None:
    options = [option for option in OPTIONS.values() if not option.positional]
    count = sum(1 for option in options if option.brief)
    page.heading("More")
    page.entry(typed, f"Every option; these are {count} of {len(options)}.")


def _write_brief_options(page: Page, defaults: Settings) -> None:
    for group, options in grouped().items():
        shown = [_with_default(option, defaults) for option in options if option.brief]
        if not shown:
            continue
        page.heading(group.title)
        for option in shown:
            usage = option.flag if option.is_switch else option.usage
            known = f" [{option.shown_default}]" if option.default else ""
            page.entry(usage, option.brief + known)


def _write_all_options(page: Page, defaults: Settings) -> None:
    page.gap()
    page.text(_ORDER)
    for group, options in grouped().items():
        page.heading(group.title, group.intro)
        for each in options:
            option = _with_default(each, defaults)
            page.entry_above(option.usage, option.help, _origin(option))
    page.heading("Help")
    page.entry_above("-h, --help [all]", "This text; with all every option.", "")


def _with_default(option: Option, defaults: Settings) -> Option:
    chosen = defaults.get(option.name)
    return option if chosen is None else replace(option, default=chosen.value)


def _origin(option: Option) -> str:
    variables = " or ".join(filter(None, (option.variable, option.fallback)))
    return f"[{option.shown_default or 'none'}; {variables}]"
