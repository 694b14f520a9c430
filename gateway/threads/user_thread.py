"""Threads that run the user's code."""

from threading import Thread
from typing import Any


class UserThread(Thread):
    """A daemon, whose children are none.

    The interpreter does not wait for it at the end, or a handler that never returns would keep the
    process.  A thread that the user's code starts without a word on that asks the thread that it is
    started by (`threading.Thread.daemon`), and has to end as it does elsewhere: in order.
    """

    def __init__(self, **arguments: Any) -> None:
        """As `threading.Thread`, but for `daemon`."""
        self._is_asked_by_children = False
        super().__init__(**arguments, daemon=True)

    @property
    def daemon(self) -> bool:  # type: ignore[override]  # typeshed: it can be set as well.
        """What its children inherit, once it runs; the interpreter has asked before."""
        return not self._is_asked_by_children

    def run(self) -> None:
        self.begin()
        super().run()

    def begin(self) -> None:
        """From now on the user's code may start threads; to be called by the thread itself."""
        self._is_asked_by_children = True
