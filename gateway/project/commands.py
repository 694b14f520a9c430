"""Finds a custom runtime's own `gateway serve` command and its arguments."""

import json
import shlex
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from gateway.project.nodes import Entry, Node, ProjectError, Table, Text
from gateway.project.properties import Properties, sort_of
from gateway.text.input_file import read_bounded

_CLOUD_FOLDER: Final = PurePosixPath("/code")
"""Where Function Compute puts the code."""
_DEFAULT_SCRIPT: Final = "bootstrap"
"""The command that Function Compute runs if a custom runtime names none."""
_MAX_SCRIPT_BYTES: Final = 64 * 1024
"""A larger file is a program rather than a script."""
_OPERATORS: Final = ("&&", "||", "|")
_ALL_ARGUMENTS: Final = "$@"


class Command(NamedTuple):
    """The arguments of `gateway serve`, and the place of the command."""

    arguments: tuple[str, ...]
    place: str


def find_command(properties: Properties, *, in_container: bool, code: Path) -> Command | None:
    """The function's own `gateway serve`; `None` if another program serves it.

    in_container: the runtime is a container, which has its own command.
    code: the folder of the code, in which to look for a script.
    """
    words: list[str] = []
    place = ""
    folder = "customContainerConfig" if in_container else "customRuntimeConfig"
    has_entrypoint = in_container and properties.function.component == "fc3"
    for name in ("entrypoint", "command") if has_entrypoint else ("command", "args"):
        found = properties.find(properties.prefixed(f"{folder}.{name}"))
        if found is not None:
            words += _words(properties, found[1], name, found[0])
            place = place or f"{found[0].place}: {name}"
    arguments = _behind_serve(words)
    if arguments is not None:
        return Command(tuple(arguments), place)
    return None if in_container else _find_in_script(words or [_DEFAULT_SCRIPT], code)


def _behind_serve(words: list[str]) -> list[str] | None:
    for index, word in enumerate(words[1:], 1):
        if word == "serve" and Path(words[index - 1]).name == "gateway":
            return words[index + 1 :]
    return None


def _find_in_script(words: list[str], code: Path) -> Command | None:
    """The `gateway serve` in a shell script of the code folder that `words` start."""
    for word in words:
        path = PurePosixPath(word)
        inner = path.relative_to(_CLOUD_FOLDER) if path.is_relative_to(_CLOUD_FOLDER) else path
        if "\0" not in word and not inner.is_absolute() and (code / inner).is_file():
            return _serve_of(code / inner)
    return None


def _serve_of(script: Path) -> Command | None:
    try:
        text = read_bounded(script, _MAX_SCRIPT_BYTES).decode()
    except (OSError, UnicodeDecodeError):
        return None
    joined, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if joined else number
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        try:
            arguments = _behind_serve(shlex.split(joined, comments=True))
        except ValueError:
            arguments = None
        joined = ""
        if arguments is not None:
            return _plain(arguments, f"{script}:{start}")
    return None


def _plain(arguments: list[str], place: str) -> Command | None:
    """The arguments up to the end of their command; `None` if only a shell can evaluate them."""
    taken = []
    for word in arguments:
        if word in _OPERATORS or word.lstrip("0123456789").startswith((">", "<")):
            break
        own = word.rstrip(";&")
        if "$" in own.replace(_ALL_ARGUMENTS, "") or "`" in own:
            return None
        if own and own != _ALL_ARGUMENTS:
            taken.append(own)
        if own != word:
            break
    return Command(tuple(taken), place)


def _words(properties: Properties, value: Node, name: str, entry: Entry) -> list[str]:
    """The words of a command: a list, a JSON text of a list, or a text split as by a shell."""
    if isinstance(value, Text):
        try:
            read = json.loads(value.value)
        except (ValueError, RecursionError):
            read = None
        if isinstance(read, list) and all(isinstance(word, str) for word in read):
            return [part for word in read for part in _split_words(word)]
        return _split_words(value.value)
    if isinstance(value, Table):
        raise ProjectError(f"{entry.place}: {name}: is a mapping; give a list of words")
    words = []
    for item in value.items:
        word = properties.resolved(Entry(item, entry.place), name)
        if not isinstance(word, Text):
            raise ProjectError(f"{entry.place}: {name}: holds a {sort_of(word)}; give texts")
        words += _split_words(word.value)
    return words


def _split_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [text]
