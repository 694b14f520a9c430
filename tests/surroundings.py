"""What the tests take from where they are run: as little as can be.

A test that passes here and fails elsewhere, or the other way round, tests the machine.  So the
environment variables are those listed here, whatever the shell, the editor or the CI has; signals
that somebody has ignored or blocked reach the programs that tests start; files are made with the
usual mode; git knows an author, and no hooks or keys of the user's; bytecode is kept, whatever
PYTHONDONTWRITEBYTECODE says, because to compile the tests takes longer than to run most of them.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Final

_TAKEN: Final = ("PATH", "HOME", "TMPDIR", "CI")

_TAKEN_FOR_OTHERS: Final = (
    "PYTEST_",  # The runner's own.
    "PIP_",  # Where packages come from, for tests that install the gateway.
    "SSL_CERT_",
    "COVERAGE_",
)

_SET: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    # The checkout may belong to somebody else: in a container, on a mounted folder.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
}

_UMASK: Final = 0o022


def kept(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that the tests see, made of the one that there is."""
    taken = {
        name: text
        for name, text in environ.items()
        if name in _TAKEN or name.startswith(_TAKEN_FOR_OTHERS)
    }
    return taken | _SET


def settle() -> None:
    """Make this process, and what it starts, independent of what started it."""
    environ = kept(os.environ)
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update(environ)
    os.umask(_UMASK)
    sys.dont_write_bytecode = False
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is signal.SIG_IGN and number not in _PYTHONS_OWN:
            # Of no effect on the tests themselves, as before (`nohup`, `&` in a script).  But a
            # handler, unlike SIG_IGN, ends at `exec`: a program that is started has the default.
            signal.signal(number, _do_nothing)


_PYTHONS_OWN: Final = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ignored by Python, which restores them in what `subprocess` starts."""


def _do_nothing(number: int, frame: object) -> None:
    pass
