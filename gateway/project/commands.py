"""The command of a custom runtime: whether it runs the gateway, and with which arguments."""

import json
import shlex
from pathlib import Path

from gateway.project.nodes import Entry, Node, ProjectError, Table, Text
from gateway.project.properties import Properties, sort_of


def serve_arguments(
    properties: Properties, *, in_container: bool
) -> tuple[tuple[str, ...] | None, str]:
    """The words behind `gateway serve` in the function's command, and where it stands.

    in_container: the runtime is a container, which has a command of its own.
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
    for index, word in enumerate(words[1:], 1):
        if word == "serve" and Path(words[index - 1]).name == "gateway":
            return tuple(words[index + 1 :]), place
    return None, ""


def _words(properties: Properties, value: Node, name: str, entry: Entry) -> list[str]:
    """The words of a command: of a list, of a JSON text of one, or as a shell splits them."""
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
