"""Reports changes of the user's code.

Theory of operation.  The watcher finds changes by looking (`code_tree`).  Notifications of the
system only say when to look, so it does not matter how an editor saves, and file systems without
notifications (network drives, some containers) get a look every two seconds anyhow.  It watches
folders one by one: folders without code would use up most of the watches that the system allows.

It reports a change when nothing more has changed for a moment.  Looking takes at most a tenth of a
core, however large the tree is.
"""

import os
import select
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from gateway.code.code_tree import (
    MAX_FOLDERS,
    CodeTree,
    Identity,
    Look,
    differences,
)
from gateway.error_log.loggers import logger

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

log = logger("gateway.watcher")

_QUIET_SECONDS: Final = 0.1
"""After this time without a change a burst of saves counts as complete."""

_MAX_BURST_SECONDS: Final = 1.0
"""After this time a change is reported although the burst goes on."""

_STEP_MILLISECONDS: Final = 50
"""How often the library collects notifications."""

_LOOK_SECONDS: Final = 2.0
"""The interval of looks without notifications."""

_POLL_SECONDS: Final = 0.3
"""The interval of looks where the system does not notify, as in `watchfiles`."""

_MIN_POLL_SECONDS: Final = 0.01

_PAUSE_FACTOR: Final = 10
"""The pause after a look, in multiples of its duration."""


class Readable(Protocol):
    """Something whose end ends the watcher."""

    def fileno(self) -> int:
        """A descriptor that becomes readable at the end."""


class WatcherMessages:
    """Messages to the waiting watcher: that it must end, and files outside the code folder."""

    def __init__(self, end: Readable, files: int) -> None:
        """`files` is a non-blocking descriptor from which to read paths, one per line."""
        self._end = end.fileno()
        self._files = files
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(self._end, select.POLLIN)
        self._poll.register(files, select.POLLIN)
        self.is_over = False

    def is_set(self) -> bool:
        """Whether a message has arrived; the library calls this method."""
        return bool(self._poll.poll(0))

    def wait(self, seconds: float) -> None:
        """Wait up to `seconds` for a message."""
        self._poll.poll(int(seconds * 1000) + 1)

    def read(self) -> list[str]:
        """The paths that have arrived; sets `is_over` at the end."""
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
    """Watches a tree of code until the messages say that it is over."""

    def __init__(
        self,
        tree: CodeTree,
        messages: WatcherMessages,
        tell: Callable[[list[str]], None],
        poll_delay: float | None,
    ) -> None:
        """`tell` is called once with an empty list when no further change can be missed, then with
        the paths of changed files.  `poll_delay` is a result of the function `poll_delay`.
        """
        self._tree = tree
        self._messages = messages
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
        while not self._messages.is_over:
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
                # Files may have appeared in new folders before they were watched, so look again.
                # But looks must not follow one another immediately where folders come and go all
                # the time.
                self._messages.wait(self._pause)
            # Their present stamps: the process that reports them has just read them.
            for path, stamp in self._tree.add(self._messages.read()).items():
                known.files.setdefault(path, stamp)

    def _look(self) -> Look:
        started = monotonic()
        look = self._tree.look()
        self._pause = _PAUSE_FACTOR * (monotonic() - started)
        if not look.is_whole and not self._has_warned:
            self._has_warned = True
            log.warning(
                "%s has more than %d folders: of the others changes are not noticed; "
                "name the folder of the code with --chdir",
                *(self._tree.root, MAX_FOLDERS),
            )
        return look

    def _settled(self, known: Look) -> Look:
        """The state after a burst of changes."""
        until = monotonic() + _MAX_BURST_SECONDS
        look = self._look()
        while differences(known, look) and monotonic() < until:
            self._messages.wait(max(_QUIET_SECONDS, self._pause / _PAUSE_FACTOR))
            before, look = look, self._look()
            if not differences(before, look) or self._messages.is_set():
                break
        return look

    # Notifications of the system.

    def _follow(self, folders: Mapping[str, Identity]) -> None:
        """Ask the system for notifications about these folders."""
        if self._poll_delay is not None or folders == self._followed:
            return
        self._let_go()
        if not folders:
            return
        try:
            self._notifier = _notifier(folders)
            self._followed = folders
        except (FileNotFoundError, PermissionError):
            pass  # A folder has disappeared, which the next look finds.
        except ImportError as error:
            self._poll(f"watchfiles cannot be imported ({error})")
        except OSError as error:  # ENOSPC, which the library raises without its number.
            self._poll(
                f"the system watches no more folders for this user ({str(error).split('.')[0]}; "
                "on Linux fs.inotify.max_user_watches)"
            )
        except RuntimeError as error:  # The library's error for everything else.
            self._poll(
                f"the system does not tell of changes ({error}; "
                "on Linux see fs.inotify.max_user_instances)"
            )

    def _poll(self, reason: str) -> None:
        self._poll_delay = _POLL_SECONDS
        log.warning("%s: looking every %g s instead", reason, _POLL_SECONDS)

    def _let_go(self) -> None:
        if self._notifier is not None:
            self._notifier.close()
        self._notifier, self._followed = None, {}

    def _wait(self) -> None:
        """Wait until there is a reason to look or a message."""
        self._messages.wait(self._pause)
        if self._notifier is None:
            self._messages.wait(_POLL_SECONDS if self._poll_delay is None else self._poll_delay)
            return
        until = monotonic() + _LOOK_SECONDS
        while not self._messages.is_set() and (seconds := until - monotonic()) > 0:
            found = self._notifier.watch(
                _STEP_MILLISECONDS, _STEP_MILLISECONDS, int(seconds * 1000) + 1, self._messages
            )
            if isinstance(found, set) and self._concerns(path for _, path in found):
                return

    def _concerns(self, paths: Iterable[str]) -> bool:
        """Whether a path may be code or a folder; handlers write other files, too."""
        return any(
            self._tree.counts(path)
            or path == self._tree.root
            or path in self._followed
            or os.path.isdir(path)
            for path in paths
        )


def _notifier(folders: Iterable[str]) -> "RustNotify":
    # The import takes 20 ms and several megabytes, so the watcher has its own process.
    from watchfiles._rust_notify import RustNotify  # noqa: PLC0415

    # Not `ignore_permission_denied`: it would also hide that there are too many folders.
    return RustNotify(sorted(folders), False, False, 0, False, False)


def poll_delay(environ: Mapping[str, str], release: str) -> float | None:
    """Seconds between two looks if the system should not notify; `None` if it should.

    The variables and the rule are those of `watchfiles`; `release` is the kernel's (`os.uname`).
    """
    chosen = environ.get("WATCHFILES_FORCE_POLLING")
    if chosen:
        is_forced = chosen.lower() not in ("false", "disable", "disabled")
    else:
        is_forced = "microsoft-standard" in release.lower()  # WSL does not notify of all changes.
    if not is_forced:
        return None
    delay = environ.get("WATCHFILES_POLL_DELAY_MS", "")
    if not (delay.isascii() and delay.isdecimal()):
        return _POLL_SECONDS
    return max(_MIN_POLL_SECONDS, int(delay[:9]) / 1000)
