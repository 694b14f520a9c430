"""Tells when the user's code has changed.

Theory of operation.  What has changed is found by looking (`code_tree`).  What the system tells of
its own accord only says when to look, so nothing depends on how an editor saves, and a file system
that tells nothing (a network's, some containers') is looked at every two seconds anyhow.  The
folders are watched one by one: those that hold no code would cost most of what the system allows.

A change is told when nothing more has changed for a moment.  Looking takes a tenth of a core at the
most, however large the tree is.
"""

import os
import select
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from gateway.code.code_tree import (
    MOST_FOLDERS,
    CodeTree,
    Identity,
    Look,
    differences,
)
from gateway.error_log.loggers import logger

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

log = logger("gateway.watcher")

_QUIET: Final = 0.1
"""Seconds without a change, after which the last save of several is taken to be done."""

_LONGEST_BURST: Final = 1.0
"""Seconds after which a change is told although there are still more."""

_STEP: Final = 50
"""Milliseconds between two looks of the library at what the system has told."""

_LOOK_ANYHOW: Final = 2.0
"""Seconds after which it is looked although the system has told nothing."""

_POLL_DELAY: Final = 0.3
"""Seconds between two looks where the system tells nothing, as `watchfiles` has it."""

_LEAST_POLL_DELAY: Final = 0.01

_SHARE: Final = 10
"""A look is followed by a pause of so many times its duration."""


class Ended(Protocol):
    """The end of what a watcher works for."""

    def fileno(self) -> int:
        """A descriptor that can be read once it has come."""


class News:
    """What the watcher hears while it waits: that it should end, and files from elsewhere."""

    def __init__(self, end: Ended, files: int) -> None:
        """`files` is a descriptor, which does not block, with the paths of files, each a line."""
        self._end = end.fileno()
        self._files = files
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(self._end, select.POLLIN)
        self._poll.register(files, select.POLLIN)
        self.is_over = False

    def is_set(self) -> bool:
        """Whether there is any; as the library asks for it."""
        return bool(self._poll.poll(0))

    def wait(self, seconds: float) -> None:
        """Wait for some, so long."""
        self._poll.poll(int(seconds * 1000) + 1)

    def read(self) -> list[str]:
        """The files that have been told; sets `is_over`."""
        ready = [descriptor for descriptor, _ in self._poll.poll(0)]
        if self._end in ready:
            self.is_over = True
        if self._files not in ready:
            return []
        with suppress(BlockingIOError):
            while data := os.read(self._files, 65536):
                self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        return [os.fsdecode(line) for line in lines]


class Watcher:
    """Looks at a tree of code until it is told to end."""

    def __init__(
        self,
        tree: CodeTree,
        news: News,
        tell: Callable[[list[str]], None],
        poll_delay: float | None,
    ) -> None:
        """`tell` is called with the paths of files that have changed, and once with none: from
        then on nothing is missed.  `poll_delay` as from `poll_delay`.
        """
        self._tree = tree
        self._news = news
        self._tell = tell
        self._poll_delay = poll_delay
        self._notifier: RustNotify | None = None
        self._followed: Mapping[str, Identity] = {}
        self._has_warned = False
        self._pause = 0.0

    def run(self) -> None:
        """Watch."""
        known = self._look()
        self._tell([])
        while not self._news.is_over:
            self._follow(known.folders)
            look = self._settled(known)
            changed = differences(known, look)
            is_same = look.folders == known.folders
            known = look
            if changed:
                self._tell(changed)
            if is_same:
                self._wait()
            else:
                # Something may have come to new folders before they were followed.  But where
                # folders come and go all the time a look must not follow upon the other.
                self._news.wait(self._pause)
            # As they are now: the code that tells of them has just read them.
            for path, stamp in self._tree.add(self._news.read()).items():
                known.files.setdefault(path, stamp)

    def _look(self) -> Look:
        started = monotonic()
        look = self._tree.look()
        self._pause = _SHARE * (monotonic() - started)
        if not look.is_whole and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s has more than %d folders: of the others changes are not noticed; "
                "name the folder of the code with --chdir",
                *(self._tree.root, MOST_FOLDERS),
            )
        return look

    def _settled(self, known: Look) -> Look:
        """What is there when nothing more changes."""
        until = monotonic() + _LONGEST_BURST
        look = self._look()
        while differences(known, look) and monotonic() < until:
            self._news.wait(max(_QUIET, self._pause / _SHARE))
            before, look = look, self._look()
            if not differences(before, look) or self._news.is_set():
                break
        return look

    # What the system tells.

    def _follow(self, folders: Mapping[str, Identity]) -> None:
        """Have the system tell of changes in these folders."""
        if self._poll_delay is not None or folders == self._followed:
            return
        self._let_go()
        if not folders:
            return
        try:
            self._notifier = _notifier(folders)
            self._followed = folders
        except (FileNotFoundError, PermissionError):
            pass  # One has gone meanwhile: the next look finds that out.
        except ImportError as error:
            self._poll(f"watchfiles cannot be imported ({error})")
        except OSError as error:  # ENOSPC, but without its number.
            self._poll(
                f"the system watches no more folders for this user ({str(error).split('.')[0]}; "
                "on Linux fs.inotify.max_user_watches)"
            )
        except RuntimeError as error:  # What the library has no better word for.
            self._poll(
                f"the system does not tell of changes ({error}; "
                "on Linux see fs.inotify.max_user_instances)"
            )

    def _poll(self, reason: str) -> None:
        self._poll_delay = _POLL_DELAY
        log.warning("%s: looking every %g s instead", reason, _POLL_DELAY)

    def _let_go(self) -> None:
        if self._notifier is not None:
            self._notifier.close()
        self._notifier, self._followed = None, {}

    def _wait(self) -> None:
        """Wait until there is a reason to look, or news."""
        self._news.wait(self._pause)
        if self._notifier is None:
            self._news.wait(_POLL_DELAY if self._poll_delay is None else self._poll_delay)
            return
        until = monotonic() + _LOOK_ANYHOW
        while not self._news.is_set() and (seconds := until - monotonic()) > 0:
            found = self._notifier.watch(_STEP, _STEP, int(seconds * 1000) + 1, self._news)
            if isinstance(found, set) and self._concerns(path for _, path in found):
                return

    def _concerns(self, paths: Iterable[str]) -> bool:
        """Whether one of them may be code, or a folder; handlers write other files, too."""
        return any(
            self._tree.counts(path)
            or path == self._tree.root
            or path in self._followed
            or os.path.isdir(path)
            for path in paths
        )


def _notifier(folders: Iterable[str]) -> "RustNotify":
    # It takes 20 ms and several megabytes, which is why this is a process of its own.
    from watchfiles._rust_notify import RustNotify  # noqa: PLC0415

    # Not `ignore_permission_denied`: it hides that there are too many, too.
    return RustNotify(sorted(folders), False, False, 0, False, False)


def poll_delay(environ: Mapping[str, str], release: str) -> float | None:
    """Seconds between two looks where the system is not asked to tell of changes; `None`: it is.

    By the variables and the rule of `watchfiles`; `release` is the kernel's (`os.uname`).
    """
    chosen = environ.get("WATCHFILES_FORCE_POLLING")
    if chosen:
        is_forced = chosen.lower() not in ("false", "disable", "disabled")
    else:
        is_forced = "microsoft-standard" in release.lower()  # WSL, which does not tell of all.
    if not is_forced:
        return None
    delay = environ.get("WATCHFILES_POLL_DELAY_MS", "")
    if not (delay.isascii() and delay.isdecimal()):
        return _POLL_DELAY
    return max(_LEAST_POLL_DELAY, int(delay[:9]) / 1000)
