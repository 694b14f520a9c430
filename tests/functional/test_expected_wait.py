"""Who waits for a thread, who need not, and what was accepted: by time, not by number."""

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from functional.conftest import StartGateway
from functional.serving import Gateway, wait_until

pytestmark = pytest.mark.family("overload")

Tally = Callable[..., None]

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
ASYNC = b"POST / HTTP/1.1\r\nHost: a\r\nX-Fc-Invocation-Type: Async\r\nContent-Length: 0\r\n\r\n"


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> str:
    """The head of the answer, whose body is read."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"(?i)content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return head


def status_of(head: str) -> int:
    return int(head.split()[1])


async def crowd(port: int, count: int, seconds: float) -> list[Counter[int]]:
    """What each of so many clients was answered, who ask again and again."""
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    end = time.monotonic() + seconds

    async def go_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Counter[int]:
        found: Counter[int] = Counter()
        while time.monotonic() < end:
            found[status_of(await ask(reader, writer, GET))] += 1
        writer.close()
        return found

    return await asyncio.gather(*(go_on(*connection) for connection in connections))


def test_a_crowd_that_asks_for_quick_answers_is_served(
    start_gateway: StartGateway, tally: Tally
) -> None:
    """Two thousand at once: each waits for some milliseconds, and none is refused."""
    gateway = start_gateway("waits:quick", "--threads", "8")
    found = asyncio.run(crowd(gateway.port, 2000, 3))
    together = sum(found, Counter())
    assert set(together) == {200}
    assert all(one[200] for one in found)
    assert "refused" not in gateway.errors
    tally(served=together[200])


async def ask_once(port: int, count: int) -> list[tuple[str, float]]:
    """The answers, and after how long they came; `""`: none within ten seconds."""

    async def one() -> tuple[str, float]:
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(10):
                head = await ask(reader, writer, GET)
        except TimeoutError:
            head = ""
        writer.close()
        return head, time.monotonic() - begun

    return await asyncio.gather(*(one() for _ in range(count)))


def test_who_would_wait_too_long_is_refused_and_not_left_to_time_out(
    start_gateway: StartGateway, tally: Tally
) -> None:
    """A handler of a second and eight threads: within thirty seconds 240 have their turn."""
    gateway = start_gateway(
        "waits:second", "--threads", "8", "--drain-timeout", "1s", "--handler-timeout", "0"
    )
    first = asyncio.run(ask_once(gateway.port, 1000))
    refused = [(head, took) for head, took in first if head and status_of(head) == 429]
    assert 600 <= len(refused) <= 900
    assert max(took for _, took in refused) < 9, "soon, though nothing was known"
    later = asyncio.run(ask_once(gateway.port, 300))
    refused = [(head, took) for head, took in later if head and status_of(head) == 429]
    wait = [int(re.search(r"(?i)retry-after: (\d+)", head)[1]) for head, _ in refused]
    assert len(refused) >= 40, "of 300 where 240 have their turn, were nobody waiting yet"
    assert all(2 <= seconds <= 60 for seconds in wait)
    assert sorted(took for _, took in refused)[len(refused) // 2] < 5
    assert "requests were refused: every thread is busy" in gateway.errors
    assert gateway.errors.count("requests were refused") < 6
    tally(refused=len(refused))


def ran(gateway: Gateway) -> int:
    return gateway.output.count("ran")  # Threads may share a line.


async def accept(port: int, count: int) -> Counter[int]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found: Counter[int] = Counter()
    for _ in range(count):
        found[status_of(await ask(reader, writer, ASYNC))] += 1
    writer.close()
    return found


def test_what_was_accepted_runs(start_gateway: StartGateway, tally: Tally) -> None:
    """Though the last of them waits for longer than requests may."""
    gateway = start_gateway("waits:tenth", "--threads", "4", "--queue-timeout", "500ms")
    assert asyncio.run(accept(gateway.port, 100)) == {202: 100}
    with gateway.connect() as client:
        assert client.ask("/").status == 200, "others have their turn"
        assert ran(gateway) < 90
    wait_until(lambda: ran(gateway) == 101, "all have run", 30)
    tally(served=101)


def test_what_was_accepted_is_bounded_before(start_gateway: StartGateway, tally: Tally) -> None:
    gateway = start_gateway("waits:tenth", "--threads", "2", "--queue", "10")
    found = asyncio.run(accept(gateway.port, 40))
    assert found[202] + found[429] == 40
    assert found[202] >= 11
    assert found[429] >= 1
    wait_until(lambda: ran(gateway) == found[202], "all that were accepted have run")
    wait_until(lambda: "asynchronous requests were refused" in gateway.errors, "it is told")
    tally(served=found[202], refused=found[429])


def test_the_end_waits_for_what_was_accepted(start_gateway: StartGateway, tally: Tally) -> None:
    gateway = start_gateway("waits:tenth", "--threads", "4", "--drain-timeout", "30s")
    asyncio.run(accept(gateway.port, 60))
    assert gateway.stop() == 0
    assert ran(gateway) == 60
    assert "comes too soon" not in gateway.errors
    tally(served=60)


def test_what_cannot_run_before_the_end_is_told(start_gateway: StartGateway, tally: Tally) -> None:
    gateway = start_gateway("waits:tenth", "--threads", "2", "--drain-timeout", "500ms")
    asyncio.run(accept(gateway.port, 100))
    gateway.signal(signal.SIGTERM)
    gateway.wait()
    told = re.findall(r"comes too soon for (\d+) asynchronous invocations, which did not run: (.*)",
                      gateway.errors)  # fmt: skip
    ids = " ".join(names for _, names in told).split()
    assert len(ids) == len(set(ids)) == int(told[0][0])
    assert 100 - ran(gateway) <= len(ids) + 1 <= 100
    tally(faults=1)
