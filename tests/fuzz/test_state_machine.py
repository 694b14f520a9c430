"""Clients that do anything in any order, on real connections: every answer is its request's own.

The model of a client is the list of what it has asked for.  What must be so, whatever it and the
others do: answers come in the order of the requests, each with its request's token and body; an
answer that ends the connection is the last; nothing behind a fault is ever run, nothing is run
twice; and when all have left, everything is released.
"""

import contextlib
import re
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from fuzz.model import (
    ANY,
    CUT,
    FAULT,
    GARBAGE,
    OK,
    REFUSED,
    WAYS,
    Client,
    Wanted,
    answer_body,
    new_token,
    next_answer,
    request_bytes,
)
from fuzz.reader import Answer, Cut
from fuzz.rig import BODY_MEMORY, LIMITS, Rig, kept_by_anything, pattern
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.fc import names
from gateway.http.message.response import CONTINUE

pytestmark = [pytest.mark.family("fuzz"), pytest.mark.timeout(600)]

EXAMPLES = 80
STEPS = 30

ASKED = st.tuples(
    st.sampled_from(["echo", "parts", *WAYS]),
    st.tuples(
        st.sampled_from(["POST", "POST", "HEAD"]),
        st.sampled_from(["none", "length", "chunked"]),
        st.sampled_from(["", "", "", "", "expect", "close", "http-1.0"]),
    ),
    st.sampled_from([0, 1, 300, 5000, LIMITS.body_buffer, LIMITS.body_buffer + 1, 40_000]),
    st.sampled_from([0, 50, 1 << 20]),
)
"""A way, how it is asked for, the bytes of its body, and how many bytes are said at once."""


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

    @precondition(lambda self: sum(one.socket.fileno() >= 0 for one in self.all) < 3)
    @rule(target=clients, send_buffer=st.sampled_from([4096, 1 << 20]))
    def connect_one(self, send_buffer: int) -> Client:
        return self.connect(send_buffer)

    def connect(self, send_buffer: int) -> Client:
        client = Client(self.rig.connect(send_buffer))
        self.all.append(client)
        return client

    @initialize(target=clients, asked=st.lists(ASKED, min_size=2, max_size=6))
    def begin(self, asked: list[tuple[str, tuple[str, str, str], int, int]]) -> Client:
        client = self.connect(1 << 20)
        for way, form, size, now in asked:
            self.ask(client, (way, form, size, now), 1)
        return client

    @rule(client=clients, asked=ASKED, times=st.sampled_from([1, 1, 1, 4]))
    def ask(
        self, client: Client, asked: tuple[str, tuple[str, str, str], int, int], times: int
    ) -> None:
        """Have something more to say, and say some of it at once; `send` says the rest."""
        way, form, size, now = asked
        for _ in range(times):
            self._plan(client, way, form, size)
        client.send(now)

    def _plan(self, client: Client, way: str, form: tuple[str, str, str], size: int) -> None:
        """Put a request at the end of what the client has to say, and say what comes of it."""
        method, framing, options = form
        token = new_token()
        body = b"" if framing == "none" else pattern(token, size)
        start = len(client.script)
        client.script += request_bytes(token, way, method, framing, body, options)
        if client.is_over or client.has_half_closed:
            if not client.is_over or client.wanted[-1].outcome != ANY:
                client.unwanted.append(token)
            return
        outcome = WAYS[way]
        streams = len(body) > LIMITS.body_buffer
        if (method == "HEAD" and outcome == CUT) or (
            streams and way not in ("echo", "parts", "waits")
        ):
            outcome = ANY  # Who does not read the body ends the connection, or does not.
        client.wanted.append(
            Wanted(
                token,
                method,
                outcome,
                answer_body(token, way, body) if outcome == OK else None,
                start,
                len(client.script),
                is_last=outcome in (CUT, ANY) or options in ("close", "http-1.0"),
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
            if client.sent < last.start + len(b"HEAD "):
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
                # A reset takes along what the client has not read, of earlier answers too.
                may_reset = client.has_overstepped or client.wanted[-1].outcome == CUT
                is_reset = client.was_reset and may_reset
                assert wanted.outcome == CUT or is_reset, (wanted, rest[:1000])
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


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()


def test_any_clients(rig: Rig, tally: Callable[..., None]) -> None:
    outcomes = {"served": 0, "refused": 0, "faults": 0}

    def machine() -> Clients:
        return type("Machine", (Clients,), {"rig": rig, "outcomes": outcomes})()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # hypothesis has none here
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
    assert kept_by_anything(rig.site) == []
    assert min(outcomes.values()) > 0, outcomes
    tally(**outcomes)
