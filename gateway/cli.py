"""The command ``gateway``: what was typed, what is printed, and the exit status.

Status 0: done. 1: the gateway failed. 2: something is wrong that the user can mend, told in one
line on standard error.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NoReturn, TextIO

from gateway.config import Config, ConfigError, load
from gateway.config.development import DEVELOPMENT
from gateway.config.sources import Settings
from gateway.error_log.nonblocking_file import STANDARD_ERROR, standard_error
from gateway.errors import UsageError
from gateway.text.printable import CONTINUED, printable
from gateway.text.spelling import did_you_mean
from gateway.version import __version__

if TYPE_CHECKING:
    from gateway.config.usage import Command

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
        _complain("error", str(error), stream, environ, error.details)
        return 2
    except KeyboardInterrupt:
        # 128 + SIGINT, as shells have it; the user knows why it ended.
        return 130


def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    word, *rest = arguments or [""]
    if word in ("-h", "--help", f"--help={_ALL}"):
        _help([*rest, _ALL] if "=" in word else [each for each in rest if each == _ALL], environ)
    elif word in ("-V", "--version"):
        _write(f"gateway {__version__}", sys.stdout)
    elif word not in _COMMANDS:
        raise ConfigError(_no_command(word))
    elif asked := {"-h", "--help", f"--help={_ALL}"} & {*rest}:
        is_long = f"--help={_ALL}" in asked or any(
            one in asked and other == _ALL for one, other in pairwise(rest)
        )
        _help([word, _ALL] if is_long else [word], environ)
    else:
        return _COMMANDS[word](rest, environ)
    return 0


def _run_with_settings(
    command: Callable[[Config, Callable[[], Config]], int],
    defaults: Settings,
    arguments: Sequence[str],
    environ: Mapping[str, str],
) -> int:
    """`command` takes the settings, and what reads them again; gives the exit status."""
    read = partial(load, arguments, environ, defaults)
    config = read()
    for notice in config.notices:
        _complain("warning", notice, sys.stderr, environ)
    return command(config, read)


def _say(text: str, stream: TextIO | None) -> None:
    """Write one line, whatever `text` quotes: programs that start the gateway read it as such.

    Nothing in it steers a terminal.
    """
    _write(_line(text), stream)


def _line(text: str) -> str:
    return printable(" ".join(text.splitlines()))


def _complain(
    kind: str,
    text: str,
    stream: TextIO | None,
    environ: Mapping[str, str],
    details: Sequence[str] = (),
) -> None:
    """Write one line about an error or a warning, in colour on a terminal.

    `details` are further lines, marked as such.
    """
    from gateway.logs.colours import RED, YELLOW, painted  # noqa: PLC0415

    colour = (RED if kind == "error" else YELLOW) if _has_colours(stream, environ) else ""
    beginning = painted(f"gateway: {kind}:", colour)
    lines = [f"{beginning} {_line(text)}", *[printable(f"{CONTINUED}{line}") for line in details]]
    _write("\n".join(lines), stream)


def _has_colours(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether a stream takes colours: on a terminal only, whatever the environment wants."""
    from gateway.logs.colours import wants_colour  # noqa: PLC0415
    from gateway.text.terminal import is_terminal  # noqa: PLC0415

    return is_terminal(stream) and wants_colour(environ, is_terminal=True)


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


def _init(arguments: Sequence[str], _: object) -> int:
    from gateway.project.new_project import start_project  # noqa: PLC0415

    for line in start_project(arguments).splitlines():
        _say(line, sys.stdout)
    return 0


def _version(arguments: Sequence[str], _: object) -> int:
    if arguments:
        raise ConfigError(f"{arguments[0]!r} is one argument too many: give gateway version")
    _write(f"gateway {__version__}", sys.stdout)
    return 0


def _help(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Of the gateway, or of the command that the first of the arguments names."""
    from gateway.config.usage import Page, write_command, write_overview  # noqa: PLC0415
    from gateway.text.terminal import width_of  # noqa: PLC0415

    names = [word for word in arguments if word != _ALL]
    for word in names[:1]:
        if word not in _COMMANDS:
            raise ConfigError(_no_command(word, "gateway help"))
    if len(names) > 1:
        raise ConfigError(f"{names[1]!r} is one argument too many: give gateway help COMMAND")
    page = Page(width_of(sys.stdout, environ), colours=_has_colours(sys.stdout, environ))
    told = _told()
    if names:
        write_command(page, names[0], told[names[0]], is_long=_ALL in arguments)
    else:
        write_overview(page, told, is_long=_ALL in arguments)
    _write(str(page), sys.stdout)
    return 0


_ALL: Final = "all"
"""Behind ``--help`` or ``gateway help COMMAND``: every option."""

_COMMANDS: dict[str, Callable[[Sequence[str], Mapping[str, str]], int]] = {
    "serve": partial(_run_with_settings, _serve, {}),
    "dev": partial(_run_with_settings, _develop, DEVELOPMENT),
    "check": partial(_run_with_settings, _check, {}),
    "init": _init,
    "help": _help,
    "version": _version,
}
"""What takes the arguments behind the command, and the environment; gives the exit status."""


def _told() -> dict[str, "Command"]:
    """The same commands, as the help tells of them."""
    from gateway.config.usage import Command  # noqa: PLC0415
    from gateway.project.starter_files import STARTER_FILES  # noqa: PLC0415

    return {
        "serve": Command("Serves the handler over HTTP until it is told to stop."),
        "dev": Command(
            "Serves it for development: loads the code again when it changes, shows requests.",
            defaults=DEVELOPMENT,
        ),
        "check": Command("Loads the handler, says what would be served, and ends."),
        "init": Command(
            "Writes the files of a small function into a folder.",
            "[FOLDER]",
            takes_settings=False,
            about="FOLDER is made where there is none; by default it is the current one. Files "
            "that are there are never written over.",
            entries=[(name, file.about) for name, file in STARTER_FILES.items()],
        ),
        "help": Command(
            "Tells how the gateway or a command is used.",
            "[COMMAND] [all]",
            takes_settings=False,
            about="The same as gateway COMMAND --help; with all, every option is told.",
        ),
        "version": Command("Tells the version; -V does, too.", "", takes_settings=False),
    }


def _no_command(word: str, before: str = "") -> str:
    if not word:
        return "a command is missing; give gateway serve TARGET, or see gateway --help"
    if before:
        return f"unknown command {word!r}: {did_you_mean(word, _COMMANDS, 'see gateway --help')}"
    if word.startswith("-"):
        return f"the command must stand before {word}; give gateway serve {word} …"
    if ":" in word or "." in word:
        return f"{word!r} is not a command; give gateway serve {word}"
    return f"unknown command {word!r}: {did_you_mean(word, _COMMANDS, 'see gateway --help')}"
