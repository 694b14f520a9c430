"""SIGTERM in the middle of traffic: nothing that was accepted is lost or cut.

What a client may see, and nothing else:

- a whole and right answer;
- once the process has been told to stop: that its connection is refused, when it opens one;
- no byte of an answer, and the end of the connection, where an answer before on the connection has
  said `Connection: close` (what was pipelined behind it), or where the request was sent on a
  connection that was idle, and crossed the server's close (RFC 9112 §9.5: such a request may be
  sent again).  The latter is counted, and must be rare.
"""

import asyncio
import hashlib
import random
import re
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from functional.serving import LATER, Gateway

pytestmark = pytest.mark.family("drain")

StartGateway = Callable[..., Gateway]

CONNECTIONS = 200
DRAIN_TIMEOUT = 10.0

_HEAD = re.compile(rb"HTTP/1\.1 200 OK\r\n((?:[!-9;-~]+: [^\r\n]*\r\n)+)\r\n")


class Ended(Exception):
    """The connection has ended; the text says within what."""


@dataclass
class Outcome:
    """What all clients saw."""

    served: int = 0
    refused: int = 0
    """Connections."""
    crossed: int = 0
    """Requests on idle connections that were closed meanwhile."""
    unread: int = 0
    """Requests pipelined behind one whose answer was to be the last."""
    faults: list[str] = field(default_factory=list)
    told_at: float | None = None
    """When the process was told to stop."""


class Client:
    """A connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.answered = 0
        self.is_last = False

    @property
    def has_ended(self) -> bool:
        """Whether the end has been noticed, as clients that keep connections look for it."""
        return self.reader.at_eof()

    async def answer(self) -> bytes:
        """The body of the next answer.

        Raises:
            Ended: there is none, or not all of it.
        """
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise Ended("within a head" if error.partial else "") from None
        except ConnectionError:
            raise Ended("") from None
        assert _HEAD.fullmatch(head), head
        try:
            body = await self._body(head)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Ended(f"within a body: {error!r}") from None
        self.is_last = b"\r\nConnection: close\r\n" in head
        self.answered += 1
        return body

    async def _body(self, head: bytes) -> bytes:
        length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
        if length:
            return await self.reader.readexactly(int(length[1]))
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head, head
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def expect_end(self) -> None:
        """Nothing comes behind the last answer."""
        try:
            rest = await self.reader.read()
        except ConnectionError:
            return
        assert rest == b"", rest


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode()


def expected(kind: str, name: str) -> bytes:
    if kind == "stream":
        return b"".join(f"{name} {number} ".encode() * 500 for number in range(20))
    return name.encode()


class Traffic:
    """The clients of one run, which go on until they may not."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self.port = port
        self.chance = chance
        self.outcome = Outcome()
        self.number = 0

    def next_name(self) -> str:
        self.number += 1
        return f"request-{self.number}"

    async def connect(self) -> Client | None:
        try:
            return Client(*await asyncio.open_connection("127.0.0.1", self.port))
        except ConnectionRefusedError:
            self.outcome.refused += 1
            if self.outcome.told_at is None:
                self.outcome.faults.append("refused before it was told to stop")
            return None

    async def repeat(self, ask: Callable[[Client], Awaitable[None]]) -> None:
        """Connect, ask until told that it was the last time, connect anew."""
        outcome = self.outcome
        while client := await self.connect():
            try:
                while not (client.is_last or client.has_ended):
                    await ask(client)
                await client.expect_end()
            except Ended as error:
                if str(error):
                    outcome.faults.append(f"cut {error}")
                elif not client.answered:
                    outcome.faults.append("the first request of a connection was not answered")
                elif outcome.told_at is None:
                    outcome.faults.append("closed before it was told to stop")
                elif not client.is_last:
                    outcome.crossed += 1
            except AssertionError as error:
                outcome.faults.append(f"wrong: {error}"[:300])
            finally:
                client.writer.close()

    async def say(self, client: Client, data: bytes) -> None:
        client.writer.write(data)
        try:
            await client.writer.drain()
        except ConnectionError:
            raise Ended("") from None

    async def ask_once(self, client: Client, kind: str = "text") -> None:
        name = self.next_name()
        await self.say(client, get(f"/{kind}/{name}"))
        assert await client.answer() == expected(kind, name)
        self.outcome.served += 1

    async def ask_slowly(self, client: Client) -> None:
        await self.ask_once(client, "slow")

    async def ask_for_a_stream(self, client: Client) -> None:
        await self.ask_once(client, "stream")

    async def ask_now_and_then(self, client: Client) -> None:
        await self.ask_once(client)
        if not client.is_last:
            await asyncio.sleep(self.chance.random() * 0.5)

    async def pipeline(self, client: Client) -> None:
        names = [self.next_name() for _ in range(self.chance.randint(2, 8))]
        await self.say(client, b"".join([get(f"/text/{name}") for name in names]))
        for at, name in enumerate(names):
            assert await client.answer() == name.encode()
            self.outcome.served += 1
            if client.is_last:
                self.outcome.unread += len(names) - at - 1
                return

    async def upload(self, client: Client) -> None:
        body = self.chance.randbytes(100_000)
        head = (
            b"POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: text/plain\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await self.say(client, head)
        for start in range(0, len(body), 20_000):
            piece = body[start : start + 20_000]
            await self.say(client, b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(0.002)
        await self.say(client, b"0\r\n\r\n")
        assert await client.answer() == hashlib.sha256(body).hexdigest().encode()
        self.outcome.served += 1

    async def ask_alone(self, client: Client) -> None:
        """One request to a connection."""
        name = self.next_name()
        await self.say(
            client, get(f"/text/{name}").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        assert await client.answer() == name.encode()
        assert client.is_last
        self.outcome.served += 1

    async def run(self, gateway: Gateway, seconds: float) -> Outcome:
        """Have all clients ask; after `seconds` tell the gateway to stop, until all are done."""
        ways = {
            self.ask_once: 60,
            self.ask_slowly: 20,
            self.ask_now_and_then: 40,
            self.pipeline: 20,
            self.upload: 20,
            self.ask_for_a_stream: 20,
            self.ask_alone: 20,
        }
        tasks = [
            asyncio.create_task(self.repeat(way))
            for way, count in ways.items()
            for _ in range(count)
        ]
        await asyncio.sleep(seconds)
        before = self.outcome.served
        assert before, "there is no traffic"
        gateway.signal(signal.SIGTERM)
        self.outcome.told_at = time.monotonic()
        _, unfinished = await asyncio.wait(tasks, timeout=2 * DRAIN_TIMEOUT)
        assert not unfinished
        for task in tasks:
            task.result()
        assert self.outcome.served > before
        return self.outcome


@pytest.mark.parametrize("seed", range(5))
def test_nothing_that_was_accepted_is_lost(
    start_gateway: StartGateway, seed: int, tally: Callable[..., None]
) -> None:
    chance = random.Random(seed)
    options = ("--threads", "32", "--drain-timeout", f"{DRAIN_TIMEOUT:g}s")
    gateway = start_gateway("traffic:handler", *options)
    traffic = Traffic(gateway.port, chance)
    outcome = asyncio.run(traffic.run(gateway, 0.3 + chance.random() * 0.5))
    assert outcome.faults == []
    assert gateway.wait() == 0
    assert outcome.told_at is not None
    assert time.monotonic() - outcome.told_at < DRAIN_TIMEOUT
    assert "drain timeout" not in gateway.errors
    assert "Traceback" not in gateway.errors
    assert outcome.refused == CONNECTIONS  # Each tried once more, when the listener was closed.
    assert outcome.crossed <= 2
    tally(served=outcome.served, faults=1)


def test_a_second_signal_ends_it_in_the_middle(
    start_gateway: StartGateway, tally: Callable[..., None]
) -> None:
    gateway = start_gateway("traffic:handler", "--drain-timeout", "1h")
    with gateway.connect() as client:
        client.request("/stream/endless", "POST", fields=[("Content-Length", "10")])
        time.sleep(0.1)
        gateway.signal(signal.SIGTERM)
        time.sleep(LATER)
        assert gateway.process.poll() is None
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        client.wait_for_end()
    tally(faults=1)
