"""Handlers that do each thing wrong that can be done: who notices, and that nobody else does.

Each application of `handlers/misbehaving` is called by itself; then the next request, on the same
connection where it is kept and on a new one, must be served as if nothing had been, all threads
must be back, and no descriptor be left.  "Handlers" in docs/security.md says what each costs.
"""

import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from functional.serving import LATER, Gateway, wait_until
from functional.wire import Response, Truncated, WireClient

pytestmark = pytest.mark.family("handlers")

StartGateway = Callable[..., Gateway]
Tally = Callable[..., None]

THREADS = 3


# What a client sees.


@dataclass(frozen=True)
class Failed:
    """Function Compute's answer for a handler that failed."""

    kind: str
    message: str
    """A regular expression for the beginning."""
    body_bytes: int = 4096
    """The answer's body has at most so many."""

    def check(self, client: WireClient, target: str) -> bool:
        response = client.ask(target)
        assert response.status == 502, response
        assert response["X-Fc-Error-Type"] == "UnhandledInvocationError"
        assert response["Content-Type"] == "application/json"
        body = response.json()
        assert set(body) == {"errorMessage", "errorType", "stackTrace"}
        assert body["errorType"] == self.kind, body
        assert re.match(self.message, body["errorMessage"]), body["errorMessage"]
        assert len(response.body) <= self.body_bytes
        assert not response.has("X-Injected")
        return not response.closes


@dataclass(frozen=True)
class Refused:
    """An answer that the gateway gives for a response that breaks a limit."""

    message: str

    def check(self, client: WireClient, target: str) -> bool:
        response = client.ask(target)
        assert (response.status, response.json()["ErrorCode"]) == (502, "BadResponse")
        assert re.match(self.message, response.json()["ErrorMessage"]), response.body
        return not response.closes


@dataclass(frozen=True)
class Served:
    """A whole answer."""

    body: bytes
    status: int = 200

    def check(self, client: WireClient, target: str) -> bool:
        response = client.ask(target)
        assert (response.status, response.body) == (self.status, self.body)
        assert not response.has("X-Injected")
        return not response.closes


def read_for_ever(client: WireClient, length: int | None, body: bytearray) -> None:
    """Read a body that is chunked or of a known length, piece by piece; it must not end."""
    while length is not None:
        assert len(body) < length
        body += client.read_exactly(1)
    while True:
        size = int(client.read_line(), 16)
        assert size, "the last chunk is there"
        body += client.read_exactly(size)
        client.read_exactly(2)


@dataclass(frozen=True)
class Cut:
    """An answer whose end is missing, so that a strict client notices."""

    begins: bytes

    def check(self, client: WireClient, target: str) -> bool:
        client.request(target)
        head = client.read_head()
        assert head.status == 200
        length = int(head["Content-Length"]) if head.has("Content-Length") else None
        body = bytearray()
        with pytest.raises((Truncated, ConnectionResetError)):
            read_for_ever(client, length, body)
        assert body == self.begins
        return False


Outcome = Failed | Refused | Served | Cut

LATE = "the handler failed"
"""What the log says when the client cannot be told."""


@dataclass(frozen=True)
class Fault:
    """One application, what its client sees, and what the log says."""

    path: str
    outcome: Outcome
    says: str = ""
    """In the log; of `Failed`, its traceback is looked for."""

    def __str__(self) -> str:
        return self.path


ANSWER = Served(b"an answer")
NO_ITERABLE = r"the handler returned {}, not an iterable"
FORBIDDEN = "the value of response header X-Value has a forbidden character"
NO_TOKEN = "the name of a response header is not a token"
BAD_REASON = "the phrase of the status has a forbidden character"
NO_STATUS = "a status is digits and a phrase"
NO_PAIR = "a response header is a tuple"
HOP_BY_HOP = r".* is a hop-by-hop header"
BAD_LENGTH = "Content-Length is not a number"

RAISING = [
    Fault("raising/before_the_head", Failed("ValueError", "before the head")),
    Fault("raising/behind_the_head", Failed("ValueError", "behind the head")),
    Fault("raising/system_exit", Failed("SystemExit", "3")),
    Fault("raising/keyboard_interrupt", Failed("KeyboardInterrupt", "not really")),
    Fault("raising/generator_exit", Failed("GeneratorExit", "none")),
    Fault("raising/base_exception", Failed("Peculiar", "of no kind")),
    Fault("raising/stop_iteration", Failed("StopIteration", "outside of an iterator")),
    Fault("raising/exit_in_str", Failed("ExitsWhenTold", r"<SystemExit in str\(\)")),
    Fault("raising/raise_in_str", Failed("Unprintable", r"<ValueError in str\(\)")),
    Fault("raising/at_the_first_item", Failed("ValueError", "at the first item")),
    Fault("raising/at_a_later_item", Cut(b"begun "), "SystemExit: at a later item"),
    Fault(
        "raising/at_a_later_item_of_a_known_length", Cut(b"begun "), "ValueError: at a later item"
    ),
    Fault("raising/behind_a_complete_answer", Served(b"whole"), "ValueError: behind a complete"),
    Fault("raising/in_close", ANSWER, "close() of the result failed"),
    Fault("raising/exit_in_close", ANSWER, "close() of the result failed"),
    Fault("raising/where_close_is_looked_for", ANSWER, "close() of the result failed"),
    Fault("raising/in_the_cleanup_of_a_generator", Served(b"an"), "ValueError: in the clean-up"),
    Fault(
        "raising/ignoring_the_end_of_a_generator", Served(b"an"), "generator ignored GeneratorExit"
    ),
    Fault("raising/behind_write", Cut(b"begun "), "ValueError: behind write()"),
    Fault("raising/in_what_write_is_given", Failed("TypeError", ".* an item of int")),
    Fault("raising/in_del", ANSWER, "ValueError: in __del__()"),
]

RESULTS = [
    Fault("results/nothing", Failed("TypeError", NO_ITERABLE.format("NoneType"))),
    Fault("results/number", Failed("TypeError", NO_ITERABLE.format("int"))),
    Fault("results/mapping", ANSWER, "text instead of bytes"),
    Fault("results/text", ANSWER, "bare bytes or text"),
    Fault("results/text_items", ANSWER, "text instead of bytes"),
    Fault("results/bare_bytes", ANSWER, "bare bytes or text"),
    Fault("results/numbers", Failed("TypeError", ".* an item of int")),
    Fault("results/late_number", Cut(b"begun "), "an item of int"),
    Fault("results/none_items", Failed("TypeError", ".* an item of NoneType")),
    Fault("results/nested", Failed("TypeError", ".* an item of list")),
    Fault("results/a_coroutine", Failed("TypeError", NO_ITERABLE.format("coroutine"))),
    Fault("results/an_async_generator", Failed("TypeError", ".*async_generator, not an iterable")),
    Fault("results/a_class", Failed("TypeError", "'type' object is not iterable|.*type, not an")),
    Fault("results/fault_in_iter", Failed("TypeError", r"in __iter__\(\)")),
    Fault("results/fault_in_next", Failed("ValueError", r"in __next__\(\)")),
    Fault("results/exit_in_next", Failed("SystemExit", r"in __next__\(\)")),
    Fault("results/fault_in_len", ANSWER),
    Fault("results/list_that_lies", ANSWER),
    Fault("results/iterator_of_nothing", Failed("TypeError", "iter.* returned non-iterator")),
    Fault("results/once", ANSWER),
    Fault("results/bytes_that_lie", Served(b"an answer")),
    Fault("results/released_view", Failed("ValueError", ".*released memoryview")),
    Fault("results/the_same_generator_twice", Served(b"")),
]

HEADS = [
    *(Fault(f"heads/{what}_in_name", Failed("ValueError", NO_TOKEN)) for what in ("cr", "lf")),
    *(Fault(f"heads/{what}_in_name", Failed("ValueError", NO_TOKEN)) for what in ("nul", "space")),
    Fault("heads/colon_in_name", Failed("ValueError", NO_TOKEN)),
    Fault("heads/empty_name", Failed("ValueError", NO_TOKEN)),
    *(Fault(f"heads/{what}_in_value", Failed("ValueError", FORBIDDEN)) for what in ("cr", "lf")),
    *(Fault(f"heads/{what}_in_value", Failed("ValueError", FORBIDDEN)) for what in ("nul", "crlf")),
    Fault("heads/crlf_at_the_end", Failed("ValueError", FORBIDDEN)),
    Fault("heads/crlf_in_known_header", Failed("ValueError", ".*Content-Type has a forbidden")),
    *(Fault(f"heads/{what}_in_reason", Failed("ValueError", BAD_REASON)) for what in ("cr", "lf")),
    Fault("heads/nul_in_reason", Failed("ValueError", BAD_REASON)),
    Fault("heads/crlf_in_status", Failed("ValueError", BAD_REASON)),
    Fault("heads/wide_value", Failed("ValueError", FORBIDDEN)),
    Fault("heads/surrogate_in_value", Failed("ValueError", FORBIDDEN)),
    Fault("heads/wide_reason", Failed("ValueError", BAD_REASON)),
    Fault("heads/bytes_name", Failed("TypeError", "the name of a response header is not a str")),
    *(
        Fault(f"heads/{what}_value", Failed("TypeError", ".* X-Value is not a str"))
        for what in ("bytes", "none", "number")
    ),
    Fault("heads/lists_for_tuples", Failed("TypeError", NO_PAIR)),
    Fault("heads/triple", Failed("TypeError", NO_PAIR)),
    Fault("heads/no_list", Failed("TypeError", "'int' object is not iterable")),
    Fault("heads/text_that_lies", ANSWER),
    Fault("heads/name_that_lies", ANSWER),
    *(
        Fault(f"heads/{name}", Failed("ValueError", HOP_BY_HOP))
        for name in ("transfer_encoding", "trailer", "te", "proxy_authenticate")
    ),
    Fault("heads/many", Refused("the response headers are larger"), "headers are larger"),
    Fault("heads/large", Refused("the response headers are larger"), "headers are larger"),
    Fault("heads/two_lengths", Failed("ValueError", "the response has two different")),
    Fault("heads/negative_length", Failed("ValueError", BAD_LENGTH)),
    Fault("heads/length_in_words", Failed("ValueError", BAD_LENGTH)),
    Fault("heads/length_of_many_digits", Failed("ValueError", "")),
    *(
        Fault(f"heads/status_{what}", Failed("ValueError", NO_STATUS))
        for what in ("in_letters", "of_two_digits", "of_four_digits")
    ),
    *(
        Fault(f"heads/status_{what}", Failed("ValueError", "status 10[01] is refused: 1xx is"))
        for what in ("continue", "switching")
    ),
    Fault("heads/status_empty", Failed("ValueError", NO_STATUS)),
    Fault("heads/status_of_other_digits", Failed("ValueError", NO_STATUS)),
    *(
        Fault(f"heads/status_{what}", Failed("TypeError", "a status is a str"))
        for what in ("of_bytes", "of_number", "none")
    ),
    Fault("heads/status_without_reason", ANSWER),
    Fault("heads/twice", Failed("RuntimeError", "start_response was called a second time")),
    Fault("heads/twice_behind_the_first_item", Cut(b"begun "), "called a second time"),
    Fault("heads/with_exc_info_behind_the_first_item", Cut(b"begun "), "too late for another head"),
    Fault("heads/with_nonsense_for_exc_info", Cut(b"begun "), "AttributeError"),
    Fault("heads/never", Failed("RuntimeError", "the handler did not call start_response")),
    Fault("heads/behind_the_first_item", Failed("RuntimeError", ".*did not call start_response")),
]

LONGER = "the body is longer than its Content-Length"
SHORTER = "the body is shorter than its Content-Length"

LENGTHS = [
    Fault("lengths/long_stream", Served(b"whole"), LONGER),
    Fault("lengths/long_write", Served(b"whole"), ""),
    Fault("lengths/exact_then_more", Served(b"whole"), LONGER),
    Fault("lengths/nothing_is_announced", Served(b""), LONGER),
    Fault("lengths/no_content", Served(b"", 204)),
    Fault("lengths/not_modified", Served(b"", 304)),
    Fault("lengths/short_list", Served(b"short"), SHORTER),
    Fault("lengths/short_stream", Cut(b"short"), SHORTER),
    Fault("lengths/short_write", Cut(b"short"), SHORTER),
]

DEEP = 40_000
"""Bytes of an answer that shows a hundred frames."""

EXHAUSTING = [
    Fault("exhausting/recursion", Failed("RecursionError", "maximum recursion depth", DEEP)),
    Fault("exhausting/mutual_recursion", Failed("RecursionError", "maximum recursion", DEEP)),
    Fault("exhausting/recursion_behind_the_first_item", Cut(b"begun "), "RecursionError"),
    Fault("exhausting/recursion_in_c", Failed("RecursionError", "maximum recursion depth")),
    Fault("exhausting/recursion_in_a_parser", Failed("RecursionError", "maximum recursion")),
    Fault("exhausting/one_huge_allocation", Failed("MemoryError", "")),
]

KEEPING = [
    Fault("keeping/empty_environ", ANSWER),
    Fault("keeping/close_input", ANSWER),
    Fault("keeping/close_errors", ANSWER),
    Fault("keeping/start_in_another_thread", ANSWER),
    Fault("blocking/exit_in_a_thread", ANSWER),
    Fault("blocking/raise_in_a_thread", ANSWER, "ZeroDivisionError"),
]

FAULTS = [*RAISING, *RESULTS, *HEADS, *LENGTHS, *EXHAUSTING, *KEEPING]


@pytest.fixture(scope="module")
def shared(start_shared_gateway: StartGateway) -> Iterator[Gateway]:
    gateway = start_shared_gateway("misbehaving:handler", "--threads", str(THREADS), "--tracebacks")
    with gateway.connect() as client:
        check_fine(client)
    yield gateway
    assert "fault of the gateway" not in gateway.errors


@pytest.fixture
def start(start_gateway: StartGateway) -> Callable[..., Gateway]:
    """Starts a gateway of the test's own, which has served a request."""

    def start(*options: str, threads: int = THREADS) -> Gateway:
        gateway = start_gateway("misbehaving:handler", "--threads", str(threads), *options)
        with gateway.connect() as client:
            check_fine(client)
        return gateway

    return start


def check_fine(client: WireClient) -> Response:
    response = client.ask("/fine")
    assert (response.status, response.body) == (200, b"fine"), response
    return response


def check_next(gateway: Gateway, count: int = 2 * THREADS) -> None:
    """New connections are served, by each of the threads."""
    for _ in range(count):
        with gateway.connect() as client:
            check_fine(client)


def await_threads(gateway: Gateway, count: int) -> None:
    wait_until(
        lambda: gateway.status_value("Threads") == count,
        f"{count} threads, not {gateway.status_value('Threads')}",
    )


def await_descriptors(gateway: Gateway, count: int) -> None:
    wait_until(lambda: gateway.descriptors <= count, f"{count} descriptors")


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_the_own_request_s_alone(shared: Gateway, fault: Fault, tally: Tally) -> None:
    threads, descriptors = shared.status_value("Threads"), shared.descriptors
    said = len(shared.errors)
    with shared.connect() as client:
        if fault.outcome.check(client, f"/{fault.path}"):
            check_fine(client)
        else:
            client.wait_for_end()
    check_next(shared)
    says = fault.says
    if isinstance(fault.outcome, Failed):
        says = "the handler failed"
        kind = fault.outcome.kind
        wait_until(lambda: kind in shared.errors[said:], "the traceback")
    # A warning is told once, whichever request comes first.
    source = shared.errors if "instead of" in says or "bare bytes" in says else ""
    wait_until(lambda: says in (source or shared.errors[said:]), f"the log says {says}")
    assert "fault of the gateway" not in shared.errors[said:]
    await_threads(shared, threads)
    await_descriptors(shared, descriptors)
    tally(faults=1, served=2 * THREADS)


def test_the_excess_of_a_list_is_part_of_its_answer(shared: Gateway, tally: Tally) -> None:
    """A list is there as a whole: its true length is told, in place of the wrong one."""
    with shared.connect() as client:
        for _ in range(2):
            response = client.ask("/lengths/long_list")
            assert response.status == 200
            assert response.body.startswith(b"wholeHTTP/1.1")
            assert len(response.body) == int(response["Content-Length"])
        check_fine(client)
    tally(faults=2, served=1)


@pytest.mark.parametrize(
    "path", ["long_stream", "long_write", "exact_then_more", "nothing_is_announced", "no_content",
             "not_modified"],
)  # fmt: skip
def test_the_excess_never_becomes_the_next_answer(shared: Gateway, path: str, tally: Tally) -> None:
    """Also where the next requests have been sent already."""
    body = b"" if path in ("nothing_is_announced", "no_content", "not_modified") else b"whole"
    with shared.connect() as client:
        for _ in range(20):
            client.request(f"/lengths/{path}")
            client.request("/fine")
        for _ in range(20):
            response = client.read_response()
            assert (response.body, response.has("X-Smuggled")) == (body, False)
            response = client.read_response()
            assert (response.status, response.body) == (200, b"fine")
    tally(faults=20, served=20)


def test_the_log_names_the_request(shared: Gateway, tally: Tally) -> None:
    with shared.connect() as client:
        request_id = client.ask("/raising/before_the_head")["X-Fc-Request-Id"]
    wait_until(lambda: f"{request_id}: the handler failed" in shared.errors, "it is logged")
    tally(faults=1)


def test_a_stack_that_is_shown_has_a_beginning_and_an_end(shared: Gateway, tally: Tally) -> None:
    with shared.connect() as client:
        stack = client.ask("/exhausting/recursion").json()["stackTrace"]
    assert 50 < len(stack) <= 100
    assert "in handler" in stack[0][0]
    assert all("in recurse" in where for where, _ in stack[10:])
    tally(faults=1)


# What a handler keeps.


def test_a_body_that_is_read_too_late_is_still_the_own_one(start: Any, tally: Tally) -> None:
    """Small, in blocks, and streamed; while others' bodies take the memory again."""
    gateway = start("--body-buffer", "1MB", "--max-body", "8MB")
    for size in (100, 300_000, 3_000_000):
        with gateway.connect() as client:
            assert client.ask("/keeping/clear").body == b"cleared"
            client.ask("/keeping/keep", "POST", body=b"a" * size)
        for _ in range(4):
            with gateway.connect() as other:
                other.ask("/fine", "POST", body=b"b" * size)
        with gateway.connect() as client:
            told = client.ask("/keeping/read_input").json()
        assert len(told) == 1
        assert "b" not in told[0].removeprefix("b'"), told[0][:200]
        check_next(gateway)
        tally(faults=1, served=4 + 2 * THREADS)


@pytest.mark.parametrize("way", ["keep", "keep_a_stream"])
@pytest.mark.parametrize("late", ["write", "start_again", "read_line", "read_names"])
def test_what_is_called_too_late_reaches_nobody(
    shared: Gateway, way: str, late: str, tally: Tally
) -> None:
    with shared.connect() as client, shared.connect() as other:
        assert client.ask("/keeping/clear").status == 200
        assert client.ask(f"/keeping/{way}").status == 200
        response = other.ask(f"/keeping/{late}")
        assert (response.status, len(response.json())) == (200, 1)
        if late in ("write", "start_again"):
            assert response.json() == ["RuntimeError"]
        for one in (client, other):
            check_fine(one)
        # On the connection of the request that it belongs to, too.
        client.ask(f"/keeping/{late}")
        check_fine(client)
    tally(faults=2, served=3)


def test_write_belongs_to_the_thread_of_the_handler(shared: Gateway, tally: Tally) -> None:
    with shared.connect() as client:
        client.ask("/keeping/clear")
        response = client.ask("/keeping/write_from_another_thread")
        assert (response.status, response.json()) == (200, ["RuntimeError"])
        check_fine(client)
    tally(faults=1, served=1)


def test_a_thread_that_writes_all_the_time_is_in_no_answer(shared: Gateway, tally: Tally) -> None:
    with shared.connect() as client:
        for _ in range(20):
            assert client.ask("/keeping/hammer").body == b"an answer"
            for _ in range(5):
                check_fine(client)
    tally(faults=20, served=100)


def test_a_changed_environ_is_nobody_else_s(shared: Gateway, tally: Tally) -> None:
    """Equal requests of a connection share what is made of their heads."""
    with shared.connect() as client:
        answers = {client.ask("/keeping/change_environ").body for _ in range(5)}
    with shared.connect() as client:
        answers |= {client.ask("/keeping/change_environ").body for _ in range(5)}
    assert len(answers) == 1
    assert b"changed" not in answers.pop()
    tally(faults=10, served=10)


# Handlers that do not come back.


@pytest.mark.parametrize("path", ["never_return", "in_close", "never_return_behind_the_first_item"])
def test_a_thread_that_does_not_come_back_is_replaced(start: Any, path: str, tally: Tally) -> None:
    gateway = start("--handler-timeout", "300ms")
    threads = gateway.status_value("Threads")
    for _ in range(THREADS):
        with gateway.connect() as client:
            if path == "in_close":
                assert Served(b"an answer").check(client, "/blocking/in_close")
                check_fine(client)  # It does not hold up its own connection.
            elif path == "never_return":
                response = client.ask(f"/blocking/{path}")
                assert response.status == 502
                assert "time out after 0.3 seconds" in response.json()["errorMessage"]
                check_fine(client)
            else:
                assert not Cut(b"begun ").check(client, f"/blocking/{path}")
    wait_until(lambda: gateway.errors.count("its thread is given up") == THREADS, "all are told of")
    assert "for_ever.wait()" in gateway.errors  # Where it is stuck.
    await_threads(gateway, threads + THREADS)
    check_next(gateway)
    tally(faults=THREADS, served=2 * THREADS)


def test_who_computes_for_too_long_is_answered_for(start: Any, tally: Tally) -> None:
    gateway = start("--handler-timeout", "300ms")
    with gateway.connect() as client:
        assert client.ask("/blocking/compute_for_ever").status == 502
        check_fine(client)
    check_next(gateway)
    tally(faults=1, served=1 + 2 * THREADS)


def test_who_waits_for_stuck_handlers_is_refused_in_time(start: Any, tally: Tally) -> None:
    """Though no thread comes to do so: the queue timeout is kept by the watch."""
    gateway = start("--handler-timeout", "0", "--queue-timeout", "300ms", threads=1)
    stuck = gateway.connect()
    stuck.request("/blocking/never_return")
    time.sleep(0.1)
    waiting = [gateway.connect() for _ in range(5)]
    before = time.monotonic()
    for client in waiting:
        client.request("/fine")
    for client in waiting:
        response = client.read_response()
        assert (response.status, response.json()["ErrorCode"]) == (503, "ResourceThrottled")
        assert not response.closes
    assert 0.3 <= time.monotonic() - before < 5
    for client in [stuck, *waiting]:
        client.close()
    gateway.signal(signal.SIGTERM)
    time.sleep(LATER)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait() == 0
    tally(faults=1, refused=5)


@pytest.mark.parametrize(("timeout", "at_most"), [("0", 10), ("2s", 10)])
def test_a_thread_of_the_handler_s_own_does_not_put_off_the_end(
    start: Any, timeout: str, at_most: float, tally: Tally
) -> None:
    gateway = start("--drain-timeout", timeout)
    with gateway.connect() as client:
        assert ANSWER.check(client, "/blocking/leak_a_thread")
        check_fine(client)
    before = time.monotonic()
    assert gateway.stop() == 0
    assert time.monotonic() - before < at_most
    assert "leaked" in gateway.errors
    tally(faults=1)


# The process.


PROCESS_WIDE = [
    "shut_logging_down", "configure_logging_anew", "disable_logging", "broken_log",
    "warnings_as_errors", "close_streams", "no_streams", "close_standard_input", "change_folder",
    "no_collection", "long_switch_interval", "thread_profile", "bad_profile", "late_interrupt",
    "change_process_environment", "little_stack",
]  # fmt: skip


@pytest.mark.parametrize("name", PROCESS_WIDE)
def test_what_is_changed_for_the_whole_process(start: Any, name: str, tally: Tally) -> None:
    gateway = start("--access-log", "json")
    threads, descriptors = gateway.status_value("Threads"), gateway.descriptors
    with gateway.connect() as client:
        client.request(f"/processwide/{name}")
        if name not in ("bad_profile", "little_stack"):
            response = client.read_response()
            assert (response.status, response.body) == (200, b"done")
            check_fine(client)
    time.sleep(0.3)
    check_next(gateway, 10)
    with gateway.connect() as client:
        # Its traceback may be lost, its answer not.
        for _ in range(2 * THREADS):
            assert client.ask("/raising/before_the_head").status == 502
            assert client.ask("/raising/system_exit").status == 502
            check_fine(client)
    check_next(gateway, 10)
    await_threads(gateway, threads)
    await_descriptors(gateway, descriptors)
    tally(faults=1, served=20)


def test_a_handler_cannot_set_signal_handlers(start: Any, tally: Tally) -> None:
    gateway = start()
    with gateway.connect() as client:
        Failed("ValueError", "signal only works in main thread").check(
            client, "/processwide/set_signal_handler"
        )
        check_fine(client)
    assert gateway.stop() == 0
    tally(faults=1, served=1)


def test_without_memory(start_gateway: StartGateway, tally: Tally) -> None:
    gateway = start_gateway("misbehaving:handler", "--threads", str(THREADS))
    check_next(gateway)
    threads, descriptors = gateway.status_value("Threads"), gateway.descriptors
    limit = (gateway.status_value("VmSize") + 150_000) * 1024
    resource.prlimit(gateway.worker_pid, resource.RLIMIT_AS, (limit, limit))
    for _ in range(6):
        with gateway.connect() as client:
            Failed("MemoryError", "").check(client, "/exhausting/many_small_allocations")
            check_fine(client)
        check_next(gateway)
    await_threads(gateway, threads)
    await_descriptors(gateway, descriptors)
    tally(faults=6, served=6 + 12 * THREADS)


# Children.


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("exit_at_once", Served(b"7")),
        ("child_returns", Served(b"0")),
        ("child_raises", Served(b"0")),
        ("child_streams", Served(b"0")),
        ("child_after_the_head", Served(b"begun 0")),
        ("terminate_a_child", Served(b"-15")),
    ],
)
def test_a_child_does_not_speak_to_the_client(
    start: Any, path: str, outcome: Served, tally: Tally
) -> None:
    gateway = start()
    descriptors = gateway.descriptors
    with gateway.connect() as other:
        check_fine(other)
        for _ in range(3):
            with gateway.connect() as client:
                assert outcome.check(client, f"/children/{path}")
                check_fine(client)
        check_fine(other)
    check_next(gateway)
    await_descriptors(gateway, descriptors)
    assert "draining" not in gateway.errors
    tally(faults=3, served=4 + 2 * THREADS)


def test_a_child_keeps_no_connection_open(start: Any, tally: Tally) -> None:
    gateway = start()
    with gateway.connect() as other, gateway.connect() as client:
        check_fine(other)
        pid = int(client.ask("/children/leave_a_child").body)
        for one in (other, client):
            response = one.ask("/fine", fields=[("Connection", "close")])
            assert response.closes
            one.expect_close()
        assert Path(f"/proc/{pid}").exists()
        assert gateway.stop() == 0
        with pytest.raises(ConnectionRefusedError):
            gateway.connect()
        assert Path(f"/proc/{pid}").exists()
    tally(faults=1, served=2)


def is_reset(client: WireClient) -> bool:
    try:
        client.send(b"more")
    except ConnectionError:
        return True
    return False


def test_a_child_keeps_no_connection_open_that_has_no_request(start: Any, tally: Tally) -> None:
    """Neither one that has had none, nor one that was refused, and lingers."""
    gateway = start("--keep-alive-timeout", "2")
    with gateway.connect() as idle, gateway.connect() as refused, gateway.connect() as client:
        refused.send(b"nonsense\r\n\r\n")
        assert refused.read_response().status == 400
        pid = int(client.ask("/children/leave_a_child").body)
        idle.expect_close()
        assert gateway.stop() == 0
        wait_until(lambda: is_reset(refused), "the refused one is told that nobody reads")
        assert Path(f"/proc/{pid}").exists()
    tally(faults=1, refused=1)


def test_what_is_printed_never_goes_to_a_client(start_gateway: Any, tally: Tally) -> None:
    """Though connections get the numbers of the streams that the handler has closed.

    From the turn of the loop on that sees them; what is printed before that is not stopped.
    """
    gateway = start_gateway(
        "closing:handler",
        source="""
        import os

        def handler(environ, start_response):
            if environ["PATH_INFO"] == "/close":
                for number in (0, 1, 2):
                    os.close(number)
            for number in () if environ["PATH_INFO"] == "/quiet" else (0, 1, 2):
                try:
                    os.write(number, b"printed")
                except OSError:
                    pass
            start_response("200 OK", [])
            return [b"fine"]
        """,
    )
    files = gateway.descriptors
    with gateway.connect() as client:
        assert client.ask("/close").body == b"fine"
        with gateway.connect() as idle:
            client.ask("/quiet")  # Behind it the loop has seen the other connection.
            client.ask("/")
            idle.half_close()
            assert idle.read_to_end() == b"", "it asks for nothing, and is told nothing"
    served = 0
    for _ in range(50):
        with gateway.connect() as client:
            try:
                client.request("/")
                answer = client.read_to_end_of(b"fine")
            except ConnectionError:
                continue
            assert b"printed" not in answer
            served += answer.endswith(b"fine")
    wait_until(lambda: is_fine(gateway), "connections are served again")
    wait_until(lambda: gateway.descriptors <= files, "no descriptor is left over")
    tally(faults=3, served=served + 2)


def is_fine(gateway: Gateway) -> bool:
    with gateway.connect() as client:
        try:
            return client.ask("/").body == b"fine"
        except (ConnectionError, Truncated):
            return False
