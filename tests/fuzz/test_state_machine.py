"""Clients that do anything in any order, on real connections: every answer is its request's own.

The model of a client is the list of what it has asked for.  What must be so, whatever it and the
others do: answers come in the order of the requests, each with its request's token and body; an
answer that ends the connection is the last; nothing behind a fault is ever run, nothing is run
twice; and when all have left, everything is released.
"""

import contextlib
import os
import re
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
from fuzz.responses import Answer, Cut, read_answer
from fuzz.rig import BODY_MEMORY, LARGE, LIMITS, Rig, echo_of, open_exchanges, pattern
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.fc import names
from gateway.http.response import CONTINUE

pytestmark = [pytest.mark.family("fuzz"), pytest.mark.timeout(600)]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
STEPS = 30

OK, FAULT, CUT, REFUSED, ANY = "ok", "fault", "cut", "refused", "any"
"""What comes of a request; `ANY`: it depends on what is quicker, and so does all behind it."""

WAYS = {
    "echo": OK, "parts": OK, "large": OK, "waits": OK, "empty": OK, "unread": OK, "lies_less": OK,
    "fails": FAULT, "injects": FAULT, "fails_late": CUT, "lies_more": CUT,
}  # fmt: skip

HEAD_OF_GARBAGE = b"POST /echo/garbage HTTP/1.1\r\nHost: a\r\n"
GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 HTTP/1.1\r\n\r\n",
    b"GET /echo/garbage HTTP/9.9\r\nHost: a\r\n\r\n",
    HEAD_OF_GARBAGE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD_OF_GARBAGE + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    HEAD_OF_GARBAGE + b"Content-Length: %d\r\n\r\n" % (LIMITS.max_body + 1),
    HEAD_OF_GARBAGE + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    HEAD_OF_GARBAGE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    HEAD_OF_GARBAGE + b"Expect: tea\r\n\r\n",
    b"GET /" + b"x" * LIMITS.max_path_bytes + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * LIMITS.max_header_bytes + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
]

_tokens = count(1)


@dataclass
class Wanted:
    """A request, and what is to come of it."""

    token: str
    method: str
    outcome: str
    body: bytes | None
    """Of the answer; `None` where it is not known beforehand."""
    start: int
    end: int
    """Where it lies in what its client says."""
    is_last: bool = False
    streams: bool = False
    """Whether its handler may start before its body is complete."""


@dataclass
class Client:
    """One connection."""

    socket: socket.socket
    script: bytearray = field(default_factory=bytearray)
    """All that it says, sent or not."""
    sent: int = 0
    received: bytearray = field(default_factory=bytearray)
    wanted: list[Wanted] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    """Tokens of requests behind the last one that may be run."""
    has_ended: bool = False
    """Whether the gateway has."""
    was_reset: bool = False
    has_half_closed: bool = False
    answered: int = 0

    @property
    def is_over(self) -> bool:
        """Whether what it says from now on is not to be heard."""
        return bool(self.wanted) and self.wanted[-1].is_last

    def send(self, size: int) -> None:
        """Say the next bytes, as far as the kernel takes them."""
        if self.has_half_closed:
            return
        data = self.script[self.sent : self.sent + size]
        try:
            if data:
                self.sent += self.socket.send(data)
        except BlockingIOError:
            pass
        except OSError:
            assert self.is_over, "the gateway has ended a connection that was to persist"
            self.has_half_closed = self.was_reset = True

    def receive(self, size: int) -> None:
        try:
            while size > 0 and not self.has_ended:
                data = self.socket.recv(min(size, 65536))
                self.received += data
                size -= len(data)
                self.has_ended = not data
        except BlockingIOError:
            pass
        except ConnectionResetError:
            assert self.is_over, "the gateway has reset a connection that was to persist"
            self.has_ended = self.was_reset = True


def request_bytes(
    token: str, way: str, method: str, framing: str, body: bytes, options: str
) -> bytes:
    """A request as it is sent."""
    version = "1.0" if options == "http-1.0" else "1.1"
    lines = [f"{method} /{way}/{token} HTTP/{version}", "Host: a"]
    if options == "close":
        lines.append("Connection: close")
    if options == "expect":
        lines.append("Expect: 100-continue")
    if framing == "none":
        body = b""
    elif framing == "chunked" and version == "1.1":
        lines.append("Transfer-Encoding: chunked")
        sizes = [1, 100, 5000, len(body)]
        pieces, rest = [], body
        for size in sizes:
            piece, rest = rest[:size], rest[size:]
            if piece:
                pieces.append(b"%x;a=b\r\n%b\r\n" % (len(piece), piece))
        body = b"".join([*pieces, b"0\r\nX-Trailer: 1\r\n\r\n"])
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer_body(token: str, way: str, body: bytes) -> bytes:
    """What a way answers to a body, where it succeeds."""
    return {
        "echo": echo_of(token, body),
        "waits": echo_of(token, body),
        "parts": token.encode() + echo_of(token, body),
        "large": pattern(token, LARGE) if way == "large" else b"",
        "unread": token.encode(),
        "lies_less": token.encode()[:-1],
        "empty": b"",
    }.get(way, b"")


class Clients(RuleBasedStateMachine):
    """Hypothesis chooses what they do."""

    rig: Rig
    outcomes: dict[str, int]
    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.rig.handlers.gate.clear()
        self.rig.handlers.runs.clear()
        self.rig.records.clear()
        self.all: list[Client] = []
        self.refused_tokens: list[str] = []

    @rule(target=clients, send_buffer=st.sampled_from([4096, 1 << 20]))
    def connect(self, send_buffer: int) -> Client:
        client = Client(self.rig.connect(send_buffer))
        self.all.append(client)
        return client

    @rule(
        client=clients,
        way=st.sampled_from([*WAYS]),
        form=st.tuples(
            st.sampled_from(["POST", "POST", "HEAD"]),
            st.sampled_from(["none", "length", "chunked"]),
            st.sampled_from(["", "", "", "expect", "close", "http-1.0"]),
        ),
        size=st.sampled_from([0, 1, 300, 5000, LIMITS.body_buffer, LIMITS.body_buffer + 1, 40_000]),
        times=st.sampled_from([1, 1, 1, 4]),
    )
    def ask(
        self, client: Client, way: str, form: tuple[str, str, str], size: int, times: int
    ) -> None:
        """Have something more to say; `send` says it."""
        method, framing, options = form
        for _ in range(times):
            token = f"t{next(_tokens):07d}"
            body = b"" if framing == "none" else pattern(token, size)
            if options == "http-1.0" and framing == "chunked":
                framing = "length"
            data = request_bytes(token, way, method, framing, body, options)
            if client.is_over or client.has_half_closed:
                if not client.is_over or client.wanted[-1].outcome != ANY:
                    client.unwanted.append(token)
                client.script += data
                continue
            outcome = WAYS[way]
            if method == "HEAD" and outcome == CUT:
                way_ends = True
                outcome = ANY
            else:
                way_ends = outcome == CUT
            streams = len(body) > LIMITS.body_buffer
            if streams and way not in ("echo", "parts", "waits"):
                way_ends, outcome = True, ANY  # Who does not read it, ends the connection or not.
            start = len(client.script)
            client.script += data
            client.wanted.append(
                Wanted(
                    token,
                    method,
                    outcome,
                    answer_body(token, way, body) if outcome == OK else None,
                    start,
                    len(client.script),
                    is_last=way_ends or options in ("close", "http-1.0"),
                    streams=streams,
                )
            )

    @rule(client=clients, garbage=st.sampled_from(GARBAGE))
    def talk_garbage(self, client: Client, garbage: bytes) -> None:
        if not (client.is_over or client.has_half_closed):
            start = len(client.script)
            end = start + len(garbage)
            client.wanted.append(Wanted("", "GET", REFUSED, None, start, end, is_last=True))
        client.script += garbage

    @rule(client=clients, size=st.sampled_from([1, 20, 60, 300, 9000, 1 << 20]))
    def send(self, client: Client, size: int) -> None:
        client.send(size)

    @rule(client=clients, size=st.sampled_from([1, 7, 90]))
    def trickle(self, client: Client, size: int) -> None:
        for _ in range(20):
            client.send(size)
            self.rig.turn(1)

    @rule(client=clients, size=st.sampled_from([1, 100, 5000, 1 << 20]))
    def read(self, client: Client, size: int) -> None:
        client.receive(size)

    @rule()
    def turn(self) -> None:
        self.rig.turn()

    @rule()
    def open_gate(self) -> None:
        self.rig.handlers.gate.set()

    @rule(client=clients)
    def half_close(self, client: Client) -> None:
        """Say no more, in the middle of a request perhaps."""
        if client.has_half_closed:
            return
        client.has_half_closed = True
        with contextlib.suppress(OSError):  # It has been reset.
            client.socket.shutdown(socket.SHUT_WR)
        kept = [wanted for wanted in client.wanted if wanted.start < client.sent]
        client.unwanted += [one.token for one in client.wanted[len(kept) :]]
        client.wanted = kept
        if kept and kept[-1].end > client.sent:
            last = kept[-1]
            last.outcome = ANY if last.streams else REFUSED
            last.is_last = True
            if client.sent < client.script.index(b"\r\n\r\n", last.start) + 4:
                last.method = "GET"  # Nobody knows that it was another.
            if not last.streams:
                client.unwanted.append(last.token)

    @rule(client=consumes(clients), resets=st.booleans())
    def leave(self, client: Client, resets: bool) -> None:
        """Vanish, whatever is under way."""
        if resets:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()
        client.wanted = [wanted for wanted in client.wanted if wanted.end <= client.sent]
        self.outcomes["faults"] += 1

    @rule(client=clients)
    def finish(self, client: Client) -> None:
        """Say the rest and read every answer."""
        self.rig.handlers.gate.set()

        def is_finished() -> bool:
            client.send(1 << 20)
            client.receive(1 << 20)
            if client.has_ended:
                return True
            if client.has_half_closed or client.sent < len(client.script):
                return False
            if client.is_over and client.wanted[-1].outcome == ANY:
                self.half_close(client)  # It may persist.
            return not client.is_over and self._has_all(client)

        self.rig.wait_until(is_finished, f"all is answered: {client}")
        self._check(client)

    def _has_all(self, client: Client) -> bool:
        rest = bytes(client.received)
        try:
            for wanted in client.wanted[client.answered :]:
                _, rest = next_answer(rest, wanted)
        except Cut:
            return False
        return True

    def _check(self, client: Client) -> None:
        """Everything that came is what was wanted, in order, and nothing else came."""
        rest = bytes(client.received)
        for wanted in client.wanted[client.answered :]:
            client.answered += 1
            if wanted.outcome == ANY:
                self.outcomes["faults"] += 1
                rest = b""
                break
            try:
                answer, rest = next_answer(rest, wanted)
            except Cut:
                assert wanted.outcome == CUT, (wanted, rest[:1000])
                self.outcomes["faults"] += 1
                rest = b""
                break
            if wanted.outcome == CUT and not answer.is_delimited:
                assert client.was_reset, "to an HTTP/1.0 client a mere end is a whole answer"
                self.outcomes["faults"] += 1
                continue
            self._check_one(wanted, answer)
            if answer.closes:
                assert wanted.is_last or client.has_half_closed, (wanted, answer)
        assert rest in (b"", CONTINUE), f"bytes that belong to no answer: {rest[:1000]!r}"
        client.received.clear()

    def _check_one(self, wanted: Wanted, answer: Answer) -> None:
        fields = dict(answer.fields)
        code = int(answer.status[:3])
        if wanted.outcome == REFUSED:
            assert code in (400, 417, 501, 505), answer
            assert answer.closes
            assert fields["X-Fc-Error-Type"] == names.FC_COMMON_ERROR
            self.outcomes["refused"] += 1
            return
        assert wanted.outcome in (OK, FAULT), (wanted, answer)
        target = self._target_of(fields["X-Fc-Request-Id"])
        assert target.endswith("/" + wanted.token), (wanted, answer, target)
        if wanted.outcome == FAULT:
            assert code == 502, (wanted, answer)
            assert "X-Token" not in fields
            self.outcomes["faults"] += 1
            return
        assert code in (200, 204), (wanted, answer)
        assert fields["X-Token"] == wanted.token, (wanted, answer)
        assert answer.body == (b"" if wanted.method == "HEAD" else wanted.body), (wanted, answer)
        self.outcomes["served"] += 1

    def _target_of(self, request_id: str) -> str:
        """Of the request with this id, by its record."""
        found: list[str] = []

        def is_recorded() -> bool:
            found[:] = [target for one, _, target in self.rig.records if one == request_id]
            return bool(found)

        self.rig.wait_until(is_recorded, f"a record of {request_id}")
        (target,) = found
        return target

    @invariant()
    def nothing_forbidden_has_run(self) -> None:
        assert self.rig.site.budget.used <= BODY_MEMORY
        runs = self.rig.handlers.runs
        assert "garbage" not in runs
        assert all(times == 1 for times in runs.values()), runs
        for client in self.all:
            assert not runs.keys() & set(client.unwanted), (client.unwanted, runs)
            has_run = [one.token in runs for one in client.wanted if one.outcome != REFUSED]
            assert has_run == sorted(has_run, reverse=True), "one was run before its turn"

    def teardown(self) -> None:
        for client in self.all:
            if client.socket.fileno() >= 0:
                self.finish(client)
                client.socket.close()
        self.rig.handlers.gate.set()
        self.rig.check_released()
        self.nothing_forbidden_has_run()
        recorded = [re.sub(r".*/", "", target) for _, _, target in self.rig.records]
        for token in self.rig.handlers.runs:
            assert recorded.count(token) == 1, f"{token} was run and has no record, or two"


def next_answer(data: bytes, wanted: Wanted) -> tuple[Answer, bytes]:
    """The next final answer, and the bytes behind it."""
    while data.startswith(CONTINUE):
        data = data[len(CONTINUE) :]
    return read_answer(data, is_head=wanted.method == "HEAD")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


def test_any_clients(rig: Rig, tally: Callable[..., None]) -> None:
    outcomes = {"served": 0, "refused": 0, "faults": 0}

    def machine() -> Clients:
        return type("Machine", (Clients,), {"rig": rig, "outcomes": outcomes})()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # To shrink would take the whole patience at each try.
            suppress_health_check=[*HealthCheck],
        ),
    )
    rig.records.clear()
    assert list(open_exchanges()) == []
    assert min(outcomes.values()) > 0, outcomes
    tally(**outcomes)
