"""The conformance tables, on the parser and connection: each case in every way to cut it."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, pairwise

import pytest
from conformance.cases import HIDDEN, Case, Seen, get
from conformance.tables import CASES, FAMILIES
from unit.http.response_reader import AnswerReader, method_of
from unit.http.wire import ManualLoop, Wire, body_of

from gateway.http.body.body import BodyBudget
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.http.message.response import status_of
from gateway.http.message.response_head import ResponseHead
from gateway.limits import Limits

BEHIND = get(first=b"GET /behind HTTP/1.1")
SEEN_BEHIND = Seen(target="/behind")

OK = ResponseHead.of(status_of(200), [("Content-Type", "text/plain")])


class Recorder:
    """An application that notes each request and answers it."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def relieve(self) -> None:
        raise AssertionError("nobody waits for a fake socket")

    def handle(self, exchange: Exchange) -> None:
        head = exchange.head
        assert head is not None
        fields = [(name.lower.decode(), value.decode("latin-1")) for name, value in head.fields]
        self.seen.append(
            Seen(
                head.method,
                head.target,
                head.host,
                body_of(exchange),
                tuple(field for field in fields if field[0] not in HIDDEN),
            )
        )
        exchange.respond_soon(OK, b"ok")
        exchange.release()


def converse(segments: list[bytes]) -> tuple[list[Seen], list[int], bool]:
    """What the application sees of a conversation, the statuses, and whether it was ended."""
    loop = ManualLoop()
    application = Recorder()
    numbers = count(1)
    records: list[Exchange] = []
    site = SharedState(
        loop=loop,  # type: ignore[arg-type]  # A loop that turns when it is told to.
        application=application,
        limits=Limits(),
        timeouts=Timeouts(),
        budget=BodyBudget(1 << 20),
        next_request_id=lambda: str(next(numbers)),
        record=records.append,
    )
    wire = Wire(site)
    for segment in segments:
        wire.send(segment)
    methods = [method_of(record, b"".join(segments)) for record in records]
    is_closed = wire.is_closed
    answers = AnswerReader(wire.take(), is_closed=is_closed).read_all(methods)
    wire.reset()
    assert site.connections == set()
    site.budget.settle()
    assert site.budget.used == 0
    return application.seen, [answer.status for answer in answers], is_closed


def splits(case: Case, data: bytes) -> Iterator[list[bytes]]:
    """Whole, line by line, byte by byte (a long one where it is telling), and at random."""
    yield [data]
    yield re.findall(rb"[^\n]*\n|[^\n]+", data)
    if len(data) < 20_000:
        yield [bytes([byte]) for byte in data]
    dice = random.Random(case.name)
    for _ in range(6):
        places = sorted(dice.sample(range(1, len(data)), min(dice.randint(1, 9), len(data) - 1)))
        yield [data[start:end] for start, end in pairwise([0, *places, len(data)])]


@pytest.mark.family("splits")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name[:60])
def test_a_case_in_every_split(case: Case, tally: Callable[..., None]) -> None:
    statuses = [200] * len(case.seen) + [case.status] * bool(case.status)
    for behind in (b"", BEHIND):
        seen, answers = [*case.seen], statuses
        if behind and not case.closes:
            seen, answers = [*seen, SEEN_BEHIND], [*answers, 200]
        for segments in splits(case, case.data + behind):
            assert converse(segments) == (seen, answers, case.closes), segments[:20]
            tally(refused=bool(case.status), served=len(answers) - bool(case.status))


@pytest.mark.family("framing")
def test_every_case_has_a_name_of_its_own_and_a_source() -> None:
    names = Counter(case.name for case in CASES)
    assert [name for name, times in names.items() if times > 1] == []
    source = re.compile(r"RFC [0-9]{4} §[0-9.]*[0-9]|(CVE-20[0-9]{2}-[0-9]{4,6})")
    assert [case.name for case in CASES if not source.fullmatch(case.source)] == []


@pytest.mark.family("framing")
def test_every_family_has_both_kinds() -> None:
    for cases in FAMILIES.values():
        assert {bool(case.seen) for case in cases} == {True, False}
