"""Threads that run the user's code."""

from threading import Thread
from typing import Any


class UserThread(Thread):
    """A daemon thread whose child threads are not daemons.

    The interpreter does not wait for it at exit, otherwise a handler that never returns would keep
    the process alive.  A thread that the user's code starts inherits `daemon` from the thread that
    starts it (`threading.Thread.daemon`), and must end as it does elsewhere: in order.
    """

    def __init__(self, **arguments: Any) -> None:
        """Take the arguments of `threading.Thread` except `daemon`."""
        self._has_begun = False
        super().__init__(**arguments, daemon=True)

    @property
    def daemon(self) -> bool:  # type: ignore[override]  # typeshed: it can be set as well.
        """True until the thread runs, when the interpreter reads it; then False, for its
        children."""
        return not self._has_begun

    def run(self) -> None:
        self.begin()
        super().run()

    def begin(self) -> None:
        """From now on the user's code may start threads.  Call it in the thread itself."""
        self._has_begun = True
