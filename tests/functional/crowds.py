"""Many clients that go on saying something for as long as a test looks at the others."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from functional.wire import WireClient


@contextmanager
def going_on(clients: Sequence[WireClient], data: bytes, every: float) -> Iterator[None]:
    """Each client sends `data` every so many seconds, as far as the gateway takes it."""
    is_over = threading.Event()

    def go_on() -> None:
        for client in clients:
            client.socket.setblocking(False)
        while not is_over.wait(every):
            for client in clients:
                with suppress(OSError):
                    client.socket.send(data)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
