"""The command ``gateway``: what was typed, what is printed, and the exit status.

Status 0: done. 1: the gateway failed. 2: something is wrong that the user can mend, told in one
line on standard error.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NoReturn, TextIO

from gateway.config import Config, ConfigError, load
from gateway.config.development import DEVELOPMENT
from gateway.config.sources import Settings
from gateway.error_log.nonblocking_file import STANDARD_ERROR, standard_error
from gateway.errors import UsageError
from gateway.text.printable import CONTINUED, printable
from gateway.text.spelling import did_you_mean
from gateway.version import __version__

_PATIENCE: Final = 1.0
"""Seconds in which a reader of standard error may take a line."""

_BROKEN_PIPE: Final = 128 + 13
"""As shells have it for SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave the process; `argv` without the program's own name."""
    sys.exit(run(sys.argv[1:] if argv is None else argv, os.environ))


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and give its exit status."""
    stream = sys.stderr  # The handler may put something else in its place.
    try:
        return _run(arguments, environ)
    except UsageError as error:
        _say(f"gateway: error: {error}", stream, error.details)
        return 2
    except KeyboardInterrupt:
        # 128 + SIGINT, as shells have it; the user knows why it ended.
        return 130


def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    word, *rest = arguments or [""]
    if word in ("-h", "--help"):
        _write(_overview(), sys.stdout)
    elif word == "--version":
        _write(f"gateway {__version__}", sys.stdout)
    elif word == "init":
        _init(rest)
    elif word not in _COMMANDS:
        raise ConfigError(_no_command(word))
    elif "-h" in rest or "--help" in rest:
        _write(_help(word), sys.stdout)
    else:
        _, command, defaults = _COMMANDS[word]
        read = partial(load, rest, environ, defaults)
        config = read()
        for notice in config.notices:
            _say(f"gateway: warning: {notice}", sys.stderr)
        return command(config, read)
    return 0


def _say(text: str, stream: TextIO | None, details: Sequence[str] = ()) -> None:
    """Write one line, whatever `text` quotes: programs that start the gateway read it as such.

    `details` are further lines, marked as such.  Nothing in them steers a terminal.
    """
    lines = [" ".join(text.splitlines()), *[f"{CONTINUED}{line}" for line in details]]
    _write("\n".join(map(printable, lines)), stream)


def _write(text: str, stream: TextIO | None) -> None:
    """Write to a standard stream, which whoever started the gateway may have closed.

    Raises UsageError when standard output takes nothing; ends the process when its reader has gone.
    """
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    data = f"{text}\n".encode(encoding, "backslashreplace")
    if _is_standard_error(stream):
        _write_error(data)
        return
    try:
        print(data.decode(encoding), end="", file=stream, flush=True)
    except OSError as error:
        # What waits in the buffer would fail again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(_BROKEN_PIPE)
        raise UsageError(f"cannot write to standard output: {error.strerror}") from None


def _is_standard_error(stream: TextIO) -> bool:
    """Whether it is the process's, and not what a program that calls this one has put there."""
    try:
        return stream.fileno() == STANDARD_ERROR
    except (OSError, ValueError):
        return False


def _write_error(data: bytes) -> None:
    """Write to standard error; if its reader does not take it, the exit status tells."""
    outlet = standard_error()
    if outlet is not None:
        with suppress(OSError):
            outlet.write_within(_PATIENCE, data)
        outlet.close()


def _serve(config: Config, load: Callable[[], Config]) -> int:
    # Imported here: help and mistakes should not wait for the server's modules.
    from gateway.serve import serve  # noqa: PLC0415

    return serve(config, load)


def _develop(config: Config, load: Callable[[], Config]) -> int:
    _say("For development only; elsewhere use gateway serve.", sys.stderr)
    return _serve(config, load)


def _check(config: Config, _: object) -> int:
    from gateway.worker.app import check  # noqa: PLC0415

    _say(check(config), sys.stdout)
    return 0


def _init(arguments: Sequence[str]) -> None:
    from gateway.project.new_project import USAGE, start_project  # noqa: PLC0415

    if {"-h", "--help"} & {*arguments}:
        _write(USAGE, sys.stdout)
        return
    for line in start_project(arguments).splitlines():
        _say(line, sys.stdout)


_Command = Callable[[Config, Callable[[], Config]], int]
"""Takes the settings, and what reads them again; gives the exit status."""

_COMMANDS: dict[str, tuple[str, _Command, Settings]] = {
    "serve": ("Serves the handler over HTTP until it is told to stop.", _serve, {}),
    "dev": (
        "Serves it for development: loads the code again when it changes, shows requests.",
        _develop,
        DEVELOPMENT,
    ),
    "check": ("Loads the handler, says what would be served, and ends.", _check, {}),
}
"""Those that take settings."""
_INIT = "Writes the files of a small function into a folder."


def _overview() -> str:
    from gateway.config.usage import overview  # noqa: PLC0415

    sentences = {name: sentence for name, (sentence, *_) in _COMMANDS.items()}
    return overview(sentences | {"init": _INIT})


def _help(name: str) -> str:
    from gateway.config.usage import command_help  # noqa: PLC0415

    sentence, _, defaults = _COMMANDS[name]
    return command_help(name, sentence, defaults)


def _no_command(word: str) -> str:
    if not word:
        return "a command is missing; give gateway serve TARGET, or see gateway --help"
    if word.startswith("-"):
        return f"the command must stand before {word}; give gateway serve {word} …"
    if ":" in word or "." in word:
        return f"{word!r} is not a command; give gateway serve {word}"
    known = [*_COMMANDS, "init"]
    return f"unknown command {word!r}: {did_you_mean(word, known, 'see gateway --help')}"
