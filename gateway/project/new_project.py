"""Writes the files of a new project: `gateway init`."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from shlex import quote
from typing import Final

from gateway.errors import UsageError
from gateway.project.starter_files import STARTER_FILES

_PLACEHOLDER: Final = "starter-function"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
"""A function's name on Function Compute."""


def start_project(arguments: Sequence[str]) -> str:
    """Write the files of a new project; return the message to the user.

    arguments: the arguments of `gateway init`.

    Raises UsageError, after which nothing has been written.
    """
    folder = _folder(arguments)
    texts = _texts(_name(folder))
    there = [name for name in texts if os.path.lexists(folder / name)]
    if there:
        raise UsageError(
            f"{_shown(folder)} has {', '.join(there)} already, and nothing is written over; "
            "choose another folder"
        )
    try:
        _write(folder, texts)
    except OSError as error:
        raise UsageError(
            f"cannot write to {_shown(folder)}: {error.strerror}; choose another folder"
        ) from None
    return _next_steps(folder, list(texts))


def _folder(arguments: Sequence[str]) -> Path:
    for word in arguments:
        if word.startswith("-"):
            raise UsageError(f"unknown option {word}: give gateway init FOLDER")
    if len(arguments) > 1:
        raise UsageError(f"{arguments[1]!r} is one argument too many: give gateway init FOLDER")
    folder = arguments[0] if arguments else "."
    if not folder or "\0" in folder:
        raise UsageError(f"{folder!r} is no folder; give the name of one, such as hello")
    return Path(folder)


def _name(folder: Path) -> str:
    """The function's name: the name of the folder if it is valid."""
    name = folder.absolute().resolve().name
    return name if _NAME.fullmatch(name) else "hello"


def _texts(name: str) -> dict[str, str]:
    source = files("gateway.project").joinpath("starter")
    return {
        target: source.joinpath(file.stored).read_text("utf-8").replace(_PLACEHOLDER, name)
        for target, file in STARTER_FILES.items()
    }


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Write all of them or none; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    try:
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                written.append(folder / name)
                file.write(text)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise


def _next_steps(folder: Path, names: list[str]) -> str:
    move = [] if folder == Path() else [f"  cd {quote(str(folder))}"]
    return "\n".join(
        (
            f"Made {', '.join(names)} in {_shown(folder)}. Next:",
            *move,
            "  gateway serve --config gateway.toml    and, beside it: curl http://127.0.0.1:9000/",
            "  gateway serve --project s.yaml         as s.yaml describes the function",
            "  gateway dev index:handler              with new code on each change",
        )
    )


def _shown(folder: Path) -> str:
    return "this folder" if folder == Path() else str(folder)
