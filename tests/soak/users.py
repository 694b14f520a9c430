"""What the clients of a soak do: each kind once, over a connection or several, to its end.

A kind raises `Lost` or `Wrong` where the gateway has failed; whatever faults it injects itself, it
expects.  Tokens tell whose an answer is.
"""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from soak.client import Answer, Lost, Wire, Wrong
from soak.patterns import pattern
from soak.score import Score


class Times(NamedTuple):
    """The gateway's timeouts, in seconds."""

    head: float = 10.0
    body: float = 30.0
    keep_alive: float = 75.0
    write: float = 30.0
    handler: float = 60.0

    def options(self) -> list[str]:
        """That make the gateway keep them."""
        names = ("head", "body", "keep-alive", "write", "handler")
        pairs = [(f"--{name}-timeout", f"{time:g}") for name, time in zip(names, self, strict=True)]
        return [word for pair in pairs for word in pair]


QUICK = Times(head=2.5, body=2.5, keep_alive=2.0, write=2.0, handler=2.5)
"""For a soak of seconds."""

_SLACK = 8.0
"""Seconds that a timeout may take longer on a busy machine."""

MAX_BYTES = 1 << 20
"""Bytes of a body."""


class Soak:
    """What all clients share."""

    def __init__(self, port: int, times: Times, chance: random.Random) -> None:
        self.port = port
        self.times = times
        self.chance = chance
        self.score = Score()
        self.accepted = 0
        """Asynchronous invocations."""


async def _ask(
    soak: Soak, wire: Wire, kind: str, path: str, *fields: str, method: str = "GET",
    body: bytes | None = None, expected: int = 200, is_chunked: bool = False,
) -> tuple[str, Answer]:  # fmt: skip
    """Ask with a token in place of `{}` in the path, and check whose the answer is."""
    token = soak.score.new_token()
    await wire.send(_request(token, path, *fields, method=method, body=body, is_chunked=is_chunked))
    answer = await wire.read_answer(method)
    _check(answer, token, expected)
    soak.score.served(token, expected, kind)
    return token, answer


def _request(
    token: str, path: str, *fields: str, method: str = "GET", body: bytes | None = None,
    is_chunked: bool = False,
) -> bytes:  # fmt: skip
    lines = [f"{method} {path.format(token)} HTTP/1.1", "Host: soak.test", *fields]
    if body is None:
        return "\r\n".join([*lines, "", ""]).encode()
    if is_chunked:
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[at : at + 9000] for at in range(0, len(body), 9000)]
        body = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _check(answer: Answer, token: str, expected: int) -> None:
    if answer.status != expected:
        raise Wrong(f"{answer.status} in place of {expected}: {answer.body[:200]!r}")
    if "x-token" in answer.fields and answer.fields["x-token"] != token:
        raise Wrong(f"{token} was answered with {answer.fields['x-token']}")


def _expect(is_so: bool, what: str) -> None:
    if not is_so:
        raise Wrong(what)


def _upload_answer(token: str, body: bytes) -> bytes:
    return f"{token} {hashlib.sha256(body).hexdigest()}".encode()


# What must simply work.


async def keep_alive(soak: Soak, wire: Wire) -> None:
    for _ in range(soak.chance.randrange(1, 40)):
        token, answer = await _ask(soak, wire, "keep-alive", "/tagged/{}")
        _expect(answer.body == token.encode(), f"{token}: {answer.body[:80]!r}")


async def pipeline(soak: Soak, wire: Wire) -> None:
    tokens = [soak.score.new_token() for _ in range(soak.chance.randrange(2, 20))]
    await wire.send(b"".join([_request(token, "/tagged/{}") for token in tokens]))
    for token in tokens:
        answer = await wire.read_answer()
        _check(answer, token, 200)
        _expect(answer.body == token.encode(), f"{token}: {answer.body[:80]!r}")
        soak.score.served(token, 200, "pipelined")


async def upload(soak: Soak, wire: Wire) -> None:
    for _ in range(soak.chance.randrange(1, 4)):
        size = soak.chance.choice((0, 1, 1000, 70_000, soak.chance.randrange(MAX_BYTES)))
        body = pattern(str(soak.chance.random()), size)
        is_chunked = soak.chance.random() < 0.5
        token, answer = await _ask(
            soak, wire, "upload", "/echo/{}", method="POST", body=body, is_chunked=is_chunked
        )
        _expect(answer.body == _upload_answer(token, body), f"{token}: {answer.body[:80]!r}")


async def expect_continue(soak: Soak, wire: Wire) -> None:
    token = soak.score.new_token()
    body = pattern(token, 5000)
    data = _request(token, "/echo/{}", "Expect: 100-continue", method="PUT", body=body)
    await wire.send(data[: -len(body)])
    _expect(await wire.read_interim() == 100, f"{token}: no 100 Continue")
    await wire.send(body)
    answer = await wire.read_answer()
    _check(answer, token, 200)
    _expect(answer.body == _upload_answer(token, body), f"{token}: {answer.body[:80]!r}")
    soak.score.served(token, 200, "expect-continue")


async def download(soak: Soak, wire: Wire) -> None:
    size = soak.chance.randrange(1, MAX_BYTES)
    form = soak.chance.choice(("length", "chunked"))
    token, answer = await _ask(soak, wire, "download", f"/download/{{}}/{size}/{form}")
    _expect(answer.body == pattern(token, size), f"{token}: another body")


async def flask(soak: Soak, wire: Wire) -> None:
    token, answer = await _ask(soak, wire, "flask", "/flask/{}")
    _expect(f'"{token}"'.encode() in answer.body, f"{token}: {answer.body[:80]!r}")
    body = pattern(token, 2000)
    token, answer = await _ask(soak, wire, "flask", "/flask/{}", method="POST", body=body)
    _expect(hashlib.sha256(body).hexdigest().encode() in answer.body, f"{token}: another digest")
    await _ask(soak, wire, "flask", "/flask-fails/{}", expected=500)
    await _ask(soak, wire, "flask", "/flask-none/{}", expected=404)


async def revalidate(soak: Soak, wire: Wire) -> None:
    await _ask(soak, wire, "head", "/tagged/{}", method="HEAD")
    token = soak.score.new_token()
    await wire.send(_request(token, "/tagged/{}", f'If-None-Match: "{token}"'))
    _check(await wire.read_answer(), token, 304)
    soak.score.served(token, 304, "not-modified")
    await _ask(soak, wire, "head", "/flask/{}", method="HEAD")


async def detach(soak: Soak, wire: Wire) -> None:
    await _ask(
        soak, wire, "async", "/detached/{}", "X-Fc-Invocation-Type: Async", method="POST",
        body=b"later", expected=202,
    )  # fmt: skip
    soak.accepted += 1


async def slow_but_honest(soak: Soak, wire: Wire) -> None:
    token = soak.score.new_token()
    body = pattern(token, 300)
    data = _request(token, "/echo/{}", method="POST", body=body)
    for at in range(0, len(data), 40):
        await wire.send(data[at : at + 40])
        await asyncio.sleep(soak.times.head / 40)
    answer = await wire.read_answer()
    _check(answer, token, 200)
    _expect(answer.body == _upload_answer(token, body), f"{token}: {answer.body[:80]!r}")
    soak.score.served(token, 200, "slow but in time")


async def half_close(soak: Soak, wire: Wire) -> None:
    token = soak.score.new_token()
    await wire.send(_request(token, "/drips/{}/0.1"))
    wire.half_close()
    answer = await wire.read_answer()
    _check(answer, token, 200)
    _expect(answer.body == token.encode() * 10, f"{token}: {answer.body[:80]!r}")
    soak.score.served(token, 200, "half-closed")


# What must be refused.

_REFUSED = {
    "version": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "both framings": (
        b"POST /echo/- HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "coding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "expectation": (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417),
    "large body": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33554433\r\n\r\n", 400),
    "large headers": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 8300 + b"\r\n\r\n", 400),
    "long path": (b"GET /" + b"x" * 4100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "chunk size": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n",
        400,
    ),
}


async def refused(soak: Soak, wire: Wire) -> None:
    kind = soak.chance.choice([*_REFUSED])
    data, status = _REFUSED[kind]
    await wire.send(data + b"GET /echo/behind HTTP/1.1\r\nHost: a\r\n\r\n")
    await _read_refusal(wire, status)
    soak.score.refused(kind)


async def _read_refusal(wire: Wire, status: int) -> None:
    _check_refusal(await wire.read_answer(), status)
    _expect(await wire.read_to_end() == b"", "bytes behind a refusal")


def _check_refusal(answer: Answer, status: int) -> None:
    _expect(answer.status == status and answer.closes, f"{answer} in place of {status}")


async def trickle_head(soak: Soak, wire: Wire) -> None:
    await wire.send(b"GET /echo")
    _check_refusal(await _trickle(wire, soak.times.head), 408)
    soak.score.refused("slow head")


async def trickle_body(soak: Soak, wire: Wire) -> None:
    token = soak.score.new_token()
    await wire.send(_request(token, "/echo/{}", method="POST", body=b"x" * 5000)[:-5000])
    _check_refusal(await _trickle(wire, soak.times.body), 408)
    soak.score.refused("slow body", has_head=True)


async def _trickle(wire: Wire, seconds: float) -> Answer:
    """What comes while a byte is sent now and then."""
    answer = asyncio.create_task(wire.read_answer(patience=seconds + _SLACK))
    try:
        while not answer.done():
            await wire.send(b"x")
            await asyncio.wait({answer}, timeout=min(1.0, seconds / 4))
        return answer.result()
    finally:
        answer.cancel()


async def idle(soak: Soak, wire: Wire) -> None:
    await _ask(soak, wire, "keep-alive", "/tagged/{}")
    rest = await wire.read_to_end(soak.times.keep_alive + _SLACK)
    _expect(rest == b"", f"an idle connection was told {rest[:80]!r}")
    soak.score.survived("idle until the timeout")


# Faults of clients.


async def deaf(soak: Soak, port: int) -> None:
    """Ask for more than fits, and do not read it."""
    token = soak.score.new_token()
    wire = await Wire.open(port, receive_buffer=4096)
    try:
        await wire.send(_request(token, f"/download/{{}}/{8 * MAX_BYTES}/length"))
        await asyncio.sleep(soak.times.write + _SLACK)
        read = len(await wire.read_to_end())
        _expect(read < 8 * MAX_BYTES, "a client that does not read was waited for")
        soak.score.survived("deaf reader")
    finally:
        wire.close()


async def vanish(soak: Soak, wire: Wire) -> None:
    """Leave at any stage."""
    token = soak.score.new_token()
    stage = soak.chance.choice(("head", "body", "running", "streaming", "pipelining"))
    body = pattern(token, 50_000)
    data = _request(token, "/echo/{}", method="POST", body=body)
    if stage == "head":
        await wire.send(data[: soak.chance.randrange(1, 40)])
    elif stage == "body":
        await wire.send(data[: soak.chance.randrange(200, len(data))])
    elif stage == "running":
        await wire.send(_request(token, "/sleeps/{}/0.1"))
        await asyncio.sleep(soak.chance.random() * 0.1)
    elif stage == "streaming":
        await wire.send(_request(token, f"/download/{{}}/{4 * MAX_BYTES}/chunked"))
        await wire.read_some(1 << 16)
    else:
        tokens = [soak.score.new_token() for _ in range(20)]
        await wire.send(b"".join([_request(one, "/tagged/{}") for one in tokens]))
    if soak.chance.random() < 0.5:
        wire.reset()
    soak.score.survived(f"client vanishes: {stage}")


# Faults of handlers.


async def failing(soak: Soak, wire: Wire) -> None:
    await _ask(soak, wire, "fault of a handler", "/fails/{}", expected=502)
    soak.score.survived("handler raises")
    await _ask(soak, wire, "fault of a handler", "/injects/{}", expected=502)
    soak.score.survived("handler injects")
    way = soak.chance.choice(("fails-late", "announces-more"))
    token = soak.score.new_token()
    await wire.send(_request(token, f"/{way}/{{}}"))
    try:
        answer = await wire.read_answer()
    except Lost:
        soak.score.survived("handler ends its answer early")
    else:
        raise Wrong(f"an answer that was cut seems whole: {answer}")


async def overtime(soak: Soak, wire: Wire) -> None:
    seconds = soak.times.handler + 3
    token = soak.score.new_token()
    await wire.send(_request(token, f"/sleeps/{{}}/{seconds:g}"))
    _check(await wire.read_answer(patience=soak.times.handler + _SLACK), token, 502)
    soak.score.served(token, 502, "handler past its time")
    soak.score.survived("handler past its time")


async def end_worker(soak: Soak, wire: Wire) -> None:
    soak.score.note_exit()
    await wire.send(_request(soak.score.new_token(), "/ends-worker/{}"))
    _expect(await wire.read_to_end() == b"", "a worker that has ended answers")
    soak.score.survived("worker ends")


Act = Callable[[Soak, Wire], Awaitable[None]]

BUSY: dict[Act, int] = {
    keep_alive: 30, pipeline: 20, upload: 12, expect_continue: 4, download: 8, flask: 12,
    revalidate: 6, detach: 4, half_close: 3, refused: 12, vanish: 16, failing: 8,
}  # fmt: skip
"""What most clients do, one after the other, by weight."""

PATIENT: tuple[Act, ...] = (idle, trickle_head, trickle_body, slow_but_honest)
"""What takes as long as the gateway lets it: each has clients of its own."""
