"""What supervisor and worker tell one another, over real sockets and a real loop."""

import asyncio
import faulthandler
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic

import pytest

from gateway.processes.connection_counts import ConnectionCounts
from gateway.processes.link import (
    BEAT,
    DRAIN,
    END,
    LEAVE,
    WANTS_REPLACEMENT,
    Link,
    SlotCounts,
    send_byte,
)
from gateway.processes.worker_process import Times, WorkerProcess


class Server:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self.levels: list[int] = []

    def drain(self, reason: str, *, takes_queue: bool, level: int = logging.INFO) -> None:
        self.told.append((reason, takes_queue))
        self.levels.append(level)

    def end_at_once(self, reason: str) -> None:
        self.told.append((f"{reason} at once", False))


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


@pytest.fixture
def child() -> Iterator[int]:
    """A process that ends when it is told to."""
    ready, tell_ready = os.pipe()
    pid = os.fork()
    if not pid:
        faulthandler.disable()  # The test runner's.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.write(tell_ready, b"x")
        signal.pause()
        os._exit(1)
    os.read(ready, 1)
    os.close(ready)
    os.close(tell_ready)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def known(
    link: socket.socket, pid: int = 0, *, loading: float = 0.0, silence: float = 60.0
) -> WorkerProcess:
    times = Times(loading=loading, silence=silence, leaving=5.0)
    return WorkerProcess(pid, link, generation=0, times=times, now=0.0)


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(body(), 10)

    asyncio.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_what_a_worker_says(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    worker, link = known(ours), Link(theirs, None)
    assert worker.hear(1.0)
    assert (worker.ready_at, worker.served(1.0)) == (None, None)
    link.tell_ready()
    assert worker.hear(2.0)
    assert (worker.ready_at, worker.served(5.0)) == (2.0, 3.0)
    assert not worker.needs_replacement
    assert not worker.has_explained
    assert not worker.has_closed
    link.tell_closed()
    link.tell_explained(is_code_at_fault=False)
    theirs.close()
    assert worker.hear(3.0)
    assert worker.has_closed
    assert worker.has_explained
    assert not worker.is_code_at_fault
    assert not worker.hear(4.0), "it can send_byte no more"


def test_a_worker_says_that_the_code_is_at_fault(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    worker = known(ours)
    Link(theirs, None).tell_explained(is_code_at_fault=True)
    worker.hear(1.0)
    assert worker.is_code_at_fault
    assert worker.has_explained


@pytest.mark.parametrize(
    ("word", "is_often_replaced", "level"),
    [
        (LEAVE, False, logging.INFO),
        (LEAVE, True, logging.DEBUG),
        (DRAIN, True, logging.INFO),
    ],
)
def test_what_happens_at_each_save_is_no_news(
    ends: tuple[socket.socket, socket.socket], word: int, is_often_replaced: bool, level: int
) -> None:
    ours, theirs = ends
    server = Server()

    async def body() -> None:
        link = Link(theirs, None, is_often_replaced=is_often_replaced)
        link.start(asyncio.get_running_loop(), server, lambda: False, 1.0)
        send_byte(ours, word)
        await until(lambda: server.levels)
        assert server.levels == [level]

    run(body)


def test_beats_and_wear(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    worker, link = known(ours), Link(theirs, None)
    needs_replacement = False

    async def body() -> None:
        nonlocal needs_replacement
        link.start(asyncio.get_running_loop(), Server(), lambda: needs_replacement, 0.001)
        await asyncio.sleep(0.02)
        worker.hear(1.0)
        assert not worker.needs_replacement
        needs_replacement = True
        await until(lambda: worker.hear(2.0) and worker.needs_replacement)

    run(body)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        (LEAVE, ("another worker takes over", False)),
        (DRAIN, ("the gateway ends", True)),
        (END, ("the gateway ends at once", False)),
        (None, ("the supervisor has gone", True)),
    ],
)
def test_what_a_supervisor_says(
    ends: tuple[socket.socket, socket.socket], word: int | None, told: tuple[str, bool]
) -> None:
    ours, theirs = ends
    server = Server()

    async def body() -> None:
        Link(theirs, None).start(asyncio.get_running_loop(), server, lambda: False, 1.0)
        if word is None:
            ours.close()
        else:
            send_byte(ours, word)
        await until(lambda: server.told)
        await asyncio.sleep(0.02)  # The end of the connection is told once.
        assert server.told == [told]

    run(body)


def test_beats_that_were_never_read_do_not_hide_the_end(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """A socket that is closed with something to read resets the other end (ECONNRESET)."""
    ours, theirs = ends
    server = Server()

    async def body() -> None:
        link = Link(theirs, None)
        link.start(asyncio.get_running_loop(), server, lambda: False, 0.001)
        await asyncio.sleep(0.02)
        ours.close()
        await until(lambda: server.told)
        assert server.told == [("the supervisor has gone", True)]

    run(body)


def test_a_link_that_the_handler_has_closed_is_missed(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """And nothing is said to whoever has its number next."""
    theirs = ends[1]
    server = Server()
    number = theirs.fileno()

    async def body() -> None:
        link = Link(theirs, None)
        link.start(asyncio.get_running_loop(), server, lambda: False, 0.02)
        client, gateway = socket.socketpair()
        with client, gateway:
            os.dup2(gateway.fileno(), number)
            await until(lambda: server.told)
            link.tell_closed()
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
        assert server.told == [("the link to the supervisor is broken", False)]

    run(body)


def test_who_has_another_parent_is_an_orphan(ends: tuple[socket.socket, socket.socket]) -> None:
    """The end of the link is open, as where a stranger has inherited it."""
    server = Server()

    async def body() -> None:
        link = Link(ends[1], None)
        link._parent = os.getppid()
        link.start(asyncio.get_running_loop(), server, lambda: False, 0.001)
        await asyncio.sleep(0.02)
        assert server.told == []
        link._parent = os.getpid()
        await until(lambda: server.told)
        assert server.told == [("the supervisor has gone", True)]

    run(body)


def test_nobody_waits_for_who_does_not_read(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    before = monotonic()
    said = 0
    while send_byte(theirs, DRAIN):
        said += 1
    assert said > 100
    theirs.close()
    assert not send_byte(ours, DRAIN)
    assert monotonic() - before < 10


# How a worker is ended.


def signal_that_ended(pid: int) -> int | None:
    """Which signal has ended a child, which stays to be reaped; `None` while it runs."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    return None if ended is None else ended.si_status


def await_signal(pid: int) -> int:
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_status


def test_who_does_not_listen_yet_is_sent_a_signal(
    ends: tuple[socket.socket, socket.socket], child: int
) -> None:
    known(ends[0], child).drain(0.0)
    assert await_signal(child) == signal.SIGTERM


def test_who_listens_is_told(ends: tuple[socket.socket, socket.socket], child: int) -> None:
    ours, theirs = ends
    worker = known(ours, child)
    Link(theirs, None).tell_ready()
    worker.hear(0.0)
    worker.leave(0.0)
    worker.end(0.0)
    assert theirs.recv(64) == bytes([LEAVE, END])
    assert signal_that_ended(child) is None


def test_who_is_late_is_killed(ends: tuple[socket.socket, socket.socket], child: int) -> None:
    ours, theirs = ends
    worker = known(ours, child)
    Link(theirs, None).tell_ready()
    worker.hear(0.0)
    worker.drain(0.0)  # Five seconds, and ten more.
    worker.enforce(14.999)
    assert signal_that_ended(child) is None
    worker.end(2.0)
    worker.drain(2.0)  # What was said before holds.
    worker.enforce(4.999)
    assert signal_that_ended(child) is None
    worker.enforce(5.0)
    assert await_signal(child) == signal.SIGKILL
    assert worker.ending(signal.SIGKILL) == "was killed by SIGKILL", "nobody else did it"


def test_who_is_silent_is_killed(ends: tuple[socket.socket, socket.socket], child: int) -> None:
    ours, theirs = ends
    worker = known(ours, child, silence=1.0)
    for quarter in range(40):
        worker.enforce(quarter / 4)  # It loads, and nothing bounds that.
    Link(theirs, None).tell_ready()
    worker.hear(10.0)
    for quarter in range(1, 5):
        worker.enforce(10 + quarter / 4)
    assert signal_that_ended(child) is None
    worker.enforce(11.25)
    assert await_signal(child) == signal.SIGABRT


def test_who_never_gets_ready_is_killed(
    ends: tuple[socket.socket, socket.socket], child: int, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = ends
    worker = known(ours, child, loading=2.0)
    send_byte(theirs, BEAT)  # A loop that turns is not enough.
    for quarter in range(9):
        worker.hear(quarter / 4)
        worker.enforce(quarter / 4)
    assert signal_that_ended(child) is None
    worker.enforce(2.25)
    assert await_signal(child) == signal.SIGABRT
    assert caplog.messages == [
        f"worker {child} hangs: after 2 s of loading it cannot serve; it is killed"
    ]


def test_who_ends_may_be_silent_while_threads_of_the_user_end(
    ends: tuple[socket.socket, socket.socket], child: int
) -> None:
    ours, theirs = ends
    worker, link = known(ours, child, silence=1.0), Link(theirs, None)
    link.tell_ready()
    link.tell_closed()
    worker.hear(0.0)
    for quarter in range(60):
        worker.enforce(quarter / 4)
    assert signal_that_ended(child) is None
    worker.enforce(15.0)
    assert await_signal(child) == signal.SIGKILL


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with status 0"),
        (3 << 8, "ended with status 3"),
        (signal.SIGSEGV, "was killed by SIGSEGV"),
        (signal.SIGKILL, "was killed by SIGKILL (the system does this when memory runs out)"),
        (signal.SIGRTMIN + 1, f"was killed by signal {signal.SIGRTMIN + 1}"),
    ],
)
def test_an_end_in_words(
    ends: tuple[socket.socket, socket.socket], status: int, words: str
) -> None:
    assert known(ends[0]).ending(status) == words


# The counts of connections.


def test_counts_are_seen_by_other_processes() -> None:
    board = ConnectionCounts(3)
    mine, other = SlotCounts(board, 0), SlotCounts(board, 2)
    assert mine.least() > 1_000_000, "nobody serves"
    mine.note(7)
    assert mine.least() == 7
    pid = os.fork()
    if not pid:
        other.note(5)
        os._exit(0)
    os.waitpid(pid, 0)
    assert mine.least() == 5
    board.clear(2)
    assert mine.least() == 7


def test_whoever_has_least_gives_signs_of_life() -> None:
    board = ConnectionCounts(3)
    mine, other = SlotCounts(board, 0), SlotCounts(board, 2)
    mine.note(2)
    signs = [mine.activity_of_least()]
    other.note(1)
    signs.append(mine.activity_of_least())  # It is another.
    other.note(1)
    signs.append(mine.activity_of_least())  # It has noted the same again.
    assert len({*signs}) == 3
    mine.note(3)
    assert mine.activity_of_least() == signs[-1], "who has more is nobody's hope"


def test_a_worker_that_cannot_tell_for_some_beats_is_worn(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """Five in a row, whatever came before."""
    ours, theirs = ends
    answers: list[bool | None] = [*[None] * 4, False, *[None] * 6, False]
    asked = iter(answers)

    def needs_replacement() -> bool:
        answer = next(asked, False)
        if answer is None:
            raise MemoryError
        return answer

    async def body() -> None:
        loop = asyncio.get_running_loop()
        Link(theirs, None).start(loop, Server(), needs_replacement, 0.001)
        said = b""
        while len(said) < len(answers):
            said += await loop.sock_recv(ours, 1)
        assert [word == WANTS_REPLACEMENT for word in said] == [False] * 9 + [True] * 2 + [False]

    run(body)


def test_a_worker_tells_at_once_that_it_is_worn(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    worker = known(ours)
    Link(theirs, None).ask_for_replacement()
    assert worker.hear(1.0)
    assert worker.needs_replacement
