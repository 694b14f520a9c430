"""The token test: thousands of requests, and each answer must be its own request's.

Pool threads write to sockets by themselves.  Were one ever to write to a descriptor that was
closed and given to another client, or out of turn, an answer would carry a token that the request
before it on that connection did not have.
"""

import asyncio
import contextlib
import itertools
import random
import re
import socket
import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from functional.serving import Gateway, wait_until

StartGateway = Callable[..., Gateway]

REQUESTS = 10_000
CONNECTIONS = 200  # At the same time.
PATIENCE = 50.0  # Seconds for a run; it takes a few.

# Times that an answer says its token; "huge" is more than a socket takes at once.
REPETITIONS = {"whole": 1, "parts": 2, "large": 2000, "huge": 150_000}

_REQUEST_ID = re.compile(rb"\r\nx-fc-request-id: (\S+)\r\n", re.IGNORECASE)
_TOKEN = re.compile(rb"\r\nx-token: (\S+)\r\n", re.IGNORECASE)


class Asked:
    """A request with its token, and what its answer must be."""

    def __init__(self, chance: random.Random) -> None:
        self.token = uuid.UUID(int=chance.getrandbits(128)).hex
        self.form = chance.choices([*REPETITIONS], (1000, 400, 100, 6))[0]
        body = self.token[::-1] * chance.choice((0, 0, 1, 1, 50, 3000))
        if REPETITIONS[self.form] > 2:
            body = ""
        self.answer = f"{self.token} {body}\n".encode() * REPETITIONS[self.form]
        head = f"POST /{self.form}/{self.token} HTTP/1.1\r\nHost: a\r\n"
        if chance.random() < 0.5:
            self.data = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        else:
            chunk = f"{len(body):x}\r\n{body}\r\n" if body else ""
            self.data = f"{head}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n".encode()


class Tally:
    """What came of all requests."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.ids: set[bytes] = set()


async def read_answer(reader: asyncio.StreamReader, asked: Asked, tally: Tally) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if head == b"HTTP/1.1 100 Continue\r\n\r\n":  # To a half-closed client that had to wait.
        head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 OK\r\n"):
        tally.faults.append(f"{asked.token}: {head!r}")
        return
    if b"\r\nTransfer-Encoding: chunked\r\n" in head:
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n"))[:-2], 16)
            chunk = await reader.readexactly(size + 2)
            if not size:
                break
            body += chunk[:-2]
    else:
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
        assert length is not None, head
        body = await reader.readexactly(int(length[1]))
    token = _TOKEN.search(head)
    if token is None or token[1] != asked.token.encode():
        tally.faults.append(f"{asked.token}: answered with the head of another: {head!r}")
    if body != asked.answer:
        tally.faults.append(f"{asked.token}: answered with {body[:100]!r}, {len(body)} bytes")
    request_id = _REQUEST_ID.search(head)
    if request_id is None or request_id[1] in tally.ids:
        tally.faults.append(f"{asked.token}: no request id, or not its own: {head!r}")
    else:
        tally.ids.add(request_id[1])
    tally.counts["answered"] += 1


async def read_answers(
    reader: asyncio.StreamReader, batch: list[Asked], tally: Tally, pause: float
) -> None:
    for asked in batch:
        if pause:
            await asyncio.sleep(pause)
        await read_answer(reader, asked, tally)


async def use_connection(
    port: int, batch: list[Asked], chance: random.Random, tally: Tally
) -> None:
    """Send a batch in one of many manners, and check what comes back."""
    manner = chance.choices(
        ("one by one", "pipelined", "half-close", "slow reader", "reset", "leave", "pieces"),
        (20, 30, 15, 8, 12, 5, 10),
    )[0]
    sock = socket.socket()
    sock.setblocking(False)
    if manner == "slow reader":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    limit = 4096 if manner == "slow reader" else 65536
    reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
    data = b"".join([asked.data for asked in batch])
    try:
        if manner == "one by one":
            for asked in batch:
                writer.write(asked.data)
                await read_answer(reader, asked, tally)
        elif manner in ("reset", "leave"):
            # Some answers are read, some are under way, some are not begun.
            writer.write(data[: chance.randrange(1, len(data) + 1)])
            whole = list(itertools.takewhile(lambda asked: asked.form in ("whole", "parts"), batch))
            may_read = chance.randrange(len(whole) + 1)
            with_all = asyncio.wait_for(read_answers(reader, whole[:may_read], tally, 0), 0.05)
            with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError):
                await with_all
            tally.counts["given up"] += len(batch)
            if manner == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return
        elif manner == "pieces":
            async with asyncio.TaskGroup() as group:
                group.create_task(read_answers(reader, batch, tally, 0))
                position = 0
                while position < len(data):
                    size = chance.choice((1, 10, 100, 5000))
                    writer.write(data[position : position + size])
                    position += size
                    await asyncio.sleep(0)
        else:
            writer.write(data)
            if manner == "half-close":
                writer.write_eof()
            pause = 0.005 if manner == "slow reader" else 0
            await read_answers(reader, batch, tally, pause)
            if manner == "half-close" and await reader.read():
                tally.faults.append("bytes behind the last answer")
        tally.counts[manner] += len(batch)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        tally.faults.append(f"{manner}: an answer is lost: {error!r}")
    finally:
        writer.close()


async def run(port: int, chance: random.Random, tally: Tally) -> None:
    batches = iter_batches(chance)

    async def work() -> None:
        for batch in batches:
            await use_connection(port, batch, chance, tally)

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())


def iter_batches(chance: random.Random) -> Iterator[list[Asked]]:
    left = REQUESTS
    while left > 0:
        size = min(left, chance.choice((1, 2, 5, 20, 60)))
        yield [Asked(chance) for _ in range(size)]
        left -= size


@pytest.mark.parametrize("threads", [1, 8])
def test_each_answer_carries_its_own_token(start_gateway: StartGateway, threads: int) -> None:
    gateway = start_gateway("tokens:handler", "--threads", str(threads))
    before = gateway.descriptors
    tally = Tally()
    seed = random.SystemRandom().getrandbits(32)
    asyncio.run(run(gateway.port, random.Random(seed), tally))
    assert not tally.faults, (seed, len(tally.faults), tally.faults[:5])
    kept = sum(tally.counts.values()) - tally.counts["answered"] - tally.counts["given up"]
    assert kept + tally.counts["given up"] == REQUESTS
    assert tally.counts["answered"] >= kept > REQUESTS // 2, (seed, tally.counts)
    assert tally.counts["slow reader"] > 0
    assert tally.counts["half-close"] > 0
    wait_until(lambda: gateway.descriptors <= before, "all descriptors are closed")
    assert "Traceback" not in gateway.errors, (seed, gateway.errors[-3000:])
    assert "fault of the gateway" not in gateway.errors, (seed, gateway.errors[-3000:])
