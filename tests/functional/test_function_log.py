"""What handlers print and log, as the log's reader and the clients who ask for a tail see it."""

import json
import os
import re
import threading
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from functional.serving import Gateway, run_command, wait_until
from functional.wire import Response

StartGateway = Callable[..., Gateway]

CLIENTS = 50
IN_SEQUENCE = 3

TAIL = [("X-Fc-Log-Type", "Tail")]

_STAMP = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_LINE = re.compile(rf"{_STAMP} (\S+) \[([A-Z]+)\] (.*)")
_MARK = re.compile(r"FC (Invoke) (Start|End) RequestId: (\S+?)(?:, Error: (.*))?")
_ACCESS = re.compile(r"127\.0\.0\.1 - - \[.*ms")
_CLOSING = re.compile(
    r"Duration: (\d+\.\d\d) ms, Billed Duration: (\d+) ms, Memory Size: 512 MB, "
    r"Max Memory Used: \d+\.\d\d MB"
)


class Line(NamedTuple):
    """A line of the function log, in either form."""

    request_id: str
    kind: str
    """A level, a stream, `Start` or `End`."""
    text: str
    """Of a mark its error."""


def read_text(output: str) -> list[Line]:
    """The lines of the function log; every line is one, or the access log's."""
    lines = []
    for line in output.splitlines():
        if match := _LINE.fullmatch(line):
            lines.append(Line(*match.groups()))
        elif match := _MARK.fullmatch(line):
            lines.append(Line(match[3], match[2], match[4] or ""))
        else:
            assert _ACCESS.fullmatch(line), line
    return lines


def read_json(output: str) -> list[Line]:
    lines = []
    for text in output.splitlines():
        line = json.loads(text)
        assert re.fullmatch(_STAMP, line["time"])
        assert line["function"] == "talking"
        if "event" in line:
            assert line["phase"] == "Invoke"
            assert (line["event"] == "end") == ("duration_ms" in line)
            told = _MARK.fullmatch(line["message"])
            assert told is not None
            assert told[3] == line["request_id"]
            assert (told[4] or "") == line.get("error", "")
            lines.append(
                Line(line["request_id"], line["event"].capitalize(), line.get("error", ""))
            )
        else:
            kind = line["level"] if "level" in line else line["stream"].upper()
            lines.append(Line(line["request_id"], kind, line["message"]))
    return lines


def tail_of(response: Response) -> list[str]:
    return b64decode(response["X-Fc-Log-Result"], validate=True).decode().splitlines()


def said(tail: list[str], request_id: str) -> list[str]:
    """A complete tail without what stands around it: marks and the closing line."""
    assert tail[0] == f"FC Invoke Start RequestId: {request_id}"
    assert tail[-3].startswith(f"FC Invoke End RequestId: {request_id}")
    assert tail[-2] == ""
    assert _CLOSING.fullmatch(tail[-1])
    return tail[1:-3]


def without_prefix(line: str) -> str:
    match = _LINE.fullmatch(line)
    return line if match is None else f"[{match[2]}] {match[3]}"


def chat_lines(tag: str) -> list[tuple[str, str]]:
    """What `do_chat` says, kind and text."""
    lines = []
    for count in range(3):
        lines += [
            ("INFO", f"{tag} logged {count}"),
            ("STDOUT", f"{tag} printed {count}:and more"),
            ("STDERR", f"{tag} to errors"),
            ("STDOUT", f"{tag} grün"),
            ("WARNING", f"{tag} warned {count}"),
        ]
    return [*lines, ("STDOUT", f"{tag} without end")]


@pytest.mark.parametrize("form", ["text", "json"])
def test_fifty_side_by_side(start_gateway: StartGateway, form: str) -> None:
    """In two workers, each client some requests on its connection: each line has its own id."""
    more = ["--access-log", "text"] if form == "text" else []
    gateway = start_gateway(
        *("talking:handler", "--workers", "2", "--threads", "30", "--log-tail"),
        *("--function-log", form, *more),
    )
    together = threading.Barrier(CLIENTS)

    def talk(number: int) -> list[tuple[str, Response]]:
        with gateway.connect() as client:
            together.wait(15)
            tags = [f"client-{number}-{count}" for count in range(IN_SEQUENCE)]
            return [(tag, client.ask(f"/chat?{tag}", fields=TAIL)) for tag in tags]

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [answer for answered in pool.map(talk, range(CLIENTS)) for answer in answered]
    assert gateway.stop() == 0

    assert len(answers) == CLIENTS * IN_SEQUENCE
    by_request = defaultdict(list)
    for line in (read_text if form == "text" else read_json)(gateway.output):
        by_request[line.request_id].append(line)
    assert by_request.pop("-") == [Line("-", "STDOUT", "imported")] * 2
    assert len(by_request) == len(answers)
    for tag, response in answers:
        request_id = response["X-Fc-Request-Id"]
        first, *between, last = by_request[request_id]
        assert (first.kind, last.kind, last.text) == ("Start", "End", "")
        assert [(line.kind, line.text) for line in between] == chat_lines(tag)
        inner = said(tail_of(response), request_id)
        assert [without_prefix(line) for line in inner] == [
            text if kind.startswith("STD") else f"[{kind}] {text}" for kind, text in chat_lines(tag)
        ]
    if form == "text":
        access = [line for line in gateway.output.splitlines() if _ACCESS.fullmatch(line)]
        assert len(access) == len(answers)


@pytest.fixture(scope="module")
def logged(start_shared_gateway: StartGateway) -> Gateway:
    """With a log as text; stack traces are nobody else's business."""
    return start_shared_gateway(
        *("talking:handler", "--function-log", "text", "--no-tracebacks", "--threads", "4"),
        "--log-tail",
    )


@pytest.fixture(scope="module")
def overheard(start_shared_gateway: StartGateway) -> Gateway:
    """No log, but tails."""
    return start_shared_gateway("talking:handler", "--workers", "0", "--tracebacks", "--log-tail")


def ask(gateway: Gateway, target: str, method: str = "GET", **more: object) -> Response:
    with gateway.connect() as client:
        return client.ask(target, method, **({"fields": TAIL} | more))


def lines_of(gateway: Gateway, response: Response) -> list[Line]:
    """The lines of a request that is over."""
    request_id = response["X-Fc-Request-Id"]
    end = f"FC Invoke End RequestId: {request_id}"
    wait_until(lambda: end in gateway.output, "the end mark", timeout=1.0)
    return [line for line in read_text(gateway.output) if line.request_id == request_id]


def test_without_the_header_there_is_no_tail(logged: Gateway, overheard: Gateway) -> None:
    for gateway in (logged, overheard):
        for fields in ([], [("X-Fc-Log-Type", "None")], [("X-Fc-Log-Type", "Tails")]):
            assert not ask(gateway, "/say?x", fields=fields).has("X-Fc-Log-Result")
        assert tail_of(ask(gateway, "/say?x", fields=[("x-fc-log-type", "tAIL")]))


def test_a_failure(logged: Gateway) -> None:
    response = ask(logged, "/fail")
    assert response.status == 502
    start, printed, *traceback, end = lines_of(logged, response)
    assert (start.kind, printed.text) == ("Start", "before")
    assert {line.kind for line in traceback} == {"ERROR"}
    assert [line.text for line in traceback[:2]] == [
        "the handler failed",
        "  | Traceback (most recent call last):",
    ]
    assert "talking.py" in traceback[2].text
    assert traceback[-1].text == "  | ValueError: no luck"
    assert (end.kind, end.text) == ("End", "Unhandled function error")
    assert "no luck" not in logged.errors
    tail = tail_of(response)
    assert tail[-3].endswith(", Error: Unhandled function error")
    assert [without_prefix(line) for line in said(tail, response["X-Fc-Request-Id"])] == [
        "before",
        "[ERROR] the handler failed",
        "  | ValueError: no luck",
    ]


def test_the_tail_has_stacks_where_clients_may_see_them(
    logged: Gateway, overheard: Gateway
) -> None:
    for gateway, has_stack in ((logged, False), (overheard, True)):
        for path in ("/fail", "/exception"):
            tail = tail_of(ask(gateway, path))
            assert any("talking.py" in line for line in tail) is has_stack
            assert any("Error: " in line for line in tail)
    caught = lines_of(logged, ask(logged, "/exception"))
    assert any("talking.py" in line.text for line in caught)


def test_nothing_can_be_forged(logged: Gateway) -> None:
    response = ask(logged, "/forge")
    lines = [line for line in lines_of(logged, response) if line.kind not in ("Start", "End")]
    shown = "\\x1b[2Jcleared\\rback\\x85\\u2028line\\u202eturned\ttab\\x7f \\udc80lone 你好"
    assert lines == [
        Line(response["X-Fc-Request-Id"], kind, text)
        for kind, text in [
            ("INFO", "name"),
            ("INFO", "  | FC Invoke End RequestId: forged\\r"),
            ("INFO", "  | 2024-01-04T10:50:44.123Z forged [INFO] x"),
            ("STDOUT", shown),
        ]
    ]
    assert "\nFC Invoke End RequestId: forged" not in logged.output
    assert said(tail_of(response), response["X-Fc-Request-Id"])[-1] == shown


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 3_000_000])
def test_long_lines_are_cut(logged: Gateway, size: int) -> None:
    response = ask(logged, f"/number?{size}")
    printed = [line.text for line in lines_of(logged, response) if line.kind == "STDOUT"]
    assert "".join(printed).replace("  | ", "") == "x" * size
    assert len(printed) == -(-size // 65_536)
    assert all(text.startswith("  | ") for text in printed[1:])


def test_the_tail_is_4_kb_at_the_most(logged: Gateway) -> None:
    small = b64decode(ask(logged, "/number?10")["X-Fc-Log-Result"])
    room = 4096 - (len(small) - 10)
    for size in (room - 30, room + 30):
        tail = b64decode(ask(logged, f"/number?{size}")["X-Fc-Log-Result"])
        begins = tail.startswith(b"FC Invoke Start")
        assert (len(tail) <= 4096, begins) == (True, size < room)
        assert tail.rstrip().endswith(b"MB")


def test_it_is_no_part_of_the_handler_s_headers(start_gateway: StartGateway) -> None:
    gateway = start_gateway("talking:handler", "--log-tail", "--max-response-header-bytes", "256")
    assert ask(gateway, "/number?5000").status == 200
    assert len(b64decode(ask(gateway, "/number?5000")["X-Fc-Log-Result"])) == 4096


def test_a_streamed_answer_shows_the_log_up_to_its_head(logged: Gateway) -> None:
    response = ask(logged, "/stream")
    assert response.body == b"onetwo"
    assert tail_of(response) == [
        f"FC Invoke Start RequestId: {response['X-Fc-Request-Id']}",
        "first",
    ]
    texts = [line.text for line in lines_of(logged, response)]
    assert texts == ["", "first", "second", ""]


def test_head(logged: Gateway, overheard: Gateway) -> None:
    for gateway in (logged, overheard):
        with gateway.connect() as client:
            for path in ("/say?x", "/stream"):  # One length is known, one is not.
                response = client.ask(path, "HEAD", fields=TAIL)
                assert response.status == 200
                assert tail_of(response)[0].startswith("FC Invoke Start")
        response = ask(gateway, "/say?x", "HEAD")
        assert said(tail_of(response), response["X-Fc-Request-Id"]) == ["x"]


def test_asynchronous_invocations(logged: Gateway) -> None:
    response = ask(logged, "/say?later", fields=[*TAIL, ("X-Fc-Invocation-Type", "Async")])
    assert response.status == 202
    assert not response.has("X-Fc-Log-Result")
    assert [line.text for line in lines_of(logged, response)] == ["", "later", ""]


def test_who_has_no_context_belongs_to_nobody(logged: Gateway) -> None:
    """A thread's lines have an id only where it took the context along; tails have neither."""
    response = ask(logged, "/late?marker-1")
    request_id = response["X-Fc-Request-Id"]
    assert said(tail_of(response), request_id) == []
    with logged.connect() as client:
        for _ in range(3):
            quiet = client.ask("/quiet", fields=TAIL)
            assert said(tail_of(quiet), quiet["X-Fc-Request-Id"]) == []
        wait_until(lambda: logged.output.count("marker-1") == 2, "both threads")
        quiet = client.ask("/quiet", fields=TAIL)
        assert said(tail_of(quiet), quiet["X-Fc-Request-Id"]) == []
    lines = [line for line in read_text(logged.output) if "marker-1" in line.text]
    assert set(lines) == {
        Line(request_id, "STDOUT", "marker-1 late with context"),
        Line("-", "STDOUT", "marker-1 late without"),
    }


def test_what_bypasses_the_streams_goes_out_as_it_is(start_gateway: StartGateway) -> None:
    gateway = start_gateway("talking:handler", "--function-log", "text")
    response = ask(gateway, "/descriptors?tag")
    assert gateway.stop() == 0
    lines = gateway.output.splitlines()
    assert {"tag os.write", "tag child"} < set(lines)
    forked = [line for line in lines if "tag forked" in line]
    assert [_LINE.fullmatch(line)[1] for line in forked] == [response["X-Fc-Request-Id"]]  # type: ignore[index]
    assert len([line for line in lines if line.startswith("FC Invoke End")]) == 1


@pytest.mark.parametrize("closes", ["yes", "no"])
def test_what_else_is_done_to_streams(logged: Gateway, closes: str) -> None:
    response = ask(logged, "/streams", fields=[*TAIL, ("X-Closes", closes)])
    assert response.status == 200
    assert response.body.decode().splitlines() == [
        "True 1 False utf-8",
        "True False True",
        "True 1 <stdout>",
        "3 3",
        "redirected",
    ]
    expected = ["abcdefone line", "to errors", "wrapped"]
    if closes == "yes":
        expected += ["after close", "detached", "after detach"]
    assert said(tail_of(response), response["X-Fc-Request-Id"]) == expected
    assert said(tail_of(again := ask(logged, "/say?on")), again["X-Fc-Request-Id"]) == ["on"]


def test_a_handler_past_its_time(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        *("talking:handler", "--function-log", "text", "--log-tail"),
        *("--handler-timeout", "0.3", "--threads", "2"),
    )
    response = ask(gateway, "/slow?0.8")
    assert response.status == 502
    tail = tail_of(response)
    assert said(tail, response["X-Fc-Request-Id"]) == ["begun"]
    assert tail[-3].endswith(", Error: Function time out after 0.3 seconds")
    wait_until(lambda: "too late" in gateway.output, "the handler returns")
    texts = [(line.kind, line.text) for line in lines_of(gateway, response)]
    assert texts == [
        ("Start", ""),
        ("STDOUT", "begun"),
        ("End", "Function time out after 0.3 seconds"),
        ("STDOUT", "too late"),
    ]


def test_without_a_log_output_is_what_it_was(start_gateway: StartGateway) -> None:
    """Also while somebody is listened to."""
    plain = start_gateway("talking:handler", "--workers", "0", "--no-log-tail")
    fresh = start_gateway("talking:handler", "--workers", "0", "--log-tail")
    assert ask(plain, "/same").body == b"True True"
    for gateway in (plain, fresh):
        with gateway.connect() as client:
            for _ in range(3):
                for path in ("/say?hello", "/chat?tag", "/say?bye"):
                    client.ask(path, fields=TAIL if gateway is fresh else [])
        assert gateway.stop() == 0
    assert "hello" in plain.output
    assert fresh.output == plain.output
    changing = r"20\d\d-\S+ \S+,\d{3} |\[\d+\]|\(pid \d+\)|:\d{4,5} |[0-9a-f-]{36}"
    assert re.sub(changing, "", fresh.errors) == re.sub(changing, "", plain.errors)


def test_tails_without_a_log(overheard: Gateway) -> None:
    response = ask(overheard, "/chat?tag")
    inner = [without_prefix(line) for line in said(tail_of(response), response["X-Fc-Request-Id"])]
    assert inner == [
        text if kind.startswith("STD") else f"[{kind}] {text}" for kind, text in chat_lines("tag")
    ]
    failed = ask(overheard, "/fail")
    assert without_prefix(said(tail_of(failed), failed["X-Fc-Request-Id"])[1]) == (
        "[ERROR] the handler failed"
    )


def test_no_tails(start_gateway: StartGateway) -> None:
    gateway = start_gateway("talking:handler", "--no-log-tail", "--function-log", "text")
    response = ask(gateway, "/say?x")
    assert not response.has("X-Fc-Log-Result")
    assert [line.text for line in lines_of(gateway, response)] == ["", "x", ""]


LOGGING_ITSELF = """
    import logging
    import logging.config
    import sys

    logging.config.dictConfig({
        "version": 1,
        "formatters": {"own": {"format": "OWN %(levelname)s %(message)s"}},
        "handlers": {"console": {
            "class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "own",
        }},
        "root": {"level": "WARNING", "handlers": ["console"]},
    })

    def handler(environ, start_response):
        logging.info("quiet")
        logging.warning("loud")
        if environ["PATH_INFO"] == "/fail":
            raise ValueError("no luck")
        start_response("200 OK", [])
        return []
"""


@pytest.mark.parametrize("form", ["off", "text"])
def test_a_function_that_configures_logging_itself(start_gateway: StartGateway, form: str) -> None:
    """It gets what it asked for, once, and whose it is is known."""
    gateway = start_gateway(
        *("own_logging:handler", "--log-tail", "--function-log", form), source=LOGGING_ITSELF
    )
    response = ask(gateway, "/")
    assert said(tail_of(response), response["X-Fc-Request-Id"]) == ["OWN WARNING loud"]
    failed = tail_of(ask(gateway, "/fail"))
    assert failed[-3].endswith(", Error: Unhandled function error")
    if form == "text":
        assert any("no luck" in line for line in failed)
        printed = [line.text for line in lines_of(gateway, response) if line.kind == "STDOUT"]
        assert printed == ["OWN WARNING loud"]


def test_asgi(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        *("talking:application", "--workers", "0", "--function-log", "text"),
        *("--handler-timeout", "2", "--no-tracebacks", "--log-tail"),
    )
    together = threading.Barrier(20)

    def talk(number: int) -> tuple[str, Response]:
        with gateway.connect() as client:
            together.wait(15)
            return f"client-{number}", client.ask(f"/?client-{number}", fields=TAIL)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(talk, range(20)))
    for tag, response in answers:
        expected = []
        for count in range(3):
            expected += [
                ("INFO", f"{tag} logged {count}"),
                ("STDOUT", f"{tag} printed {count}"),
                ("STDOUT", f"{tag} task"),
                ("STDOUT", f"{tag} thread"),
            ]
        expected.append(("STDOUT", f"{tag} behind the response"))
        lines = lines_of(gateway, response)
        assert [(line.kind, line.text) for line in lines[1:-1]] == expected
        inner = said(tail_of(response), response["X-Fc-Request-Id"])
        assert [without_prefix(line) for line in inner] == [
            text if kind == "STDOUT" else f"[INFO] {text}" for kind, text in expected
        ]
        assert response.body.decode() == tag

    failed = ask(gateway, "/fail")
    assert failed.status == 502
    assert [without_prefix(line) for line in said(tail_of(failed), failed["X-Fc-Request-Id"])] == [
        "before",
        "[ERROR] the application failed",
        "  | ValueError: no luck",
    ]
    streamed = ask(gateway, "/stream")
    assert (streamed.body, tail_of(streamed)[1:]) == (b"onetwo", ["first"])
    head = ask(gateway, "/?x", "HEAD")
    assert said(tail_of(head), head["X-Fc-Request-Id"])[-1] == "x behind the response"
    slow = ask(gateway, "/slow?30")
    assert slow.status == 502
    assert tail_of(slow)[1] == "begun"
    assert tail_of(slow)[-3].endswith(", Error: Function time out after 2 seconds")
    assert [line.kind for line in lines_of(gateway, slow)].count("End") == 1
    assert ask(gateway, "/?x", fields=[]).values("X-Fc-Log-Result") == []


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def test_a_reader_that_stops_is_in_nobodys_way(
    start_gateway: StartGateway, pipe: tuple[int, int]
) -> None:
    reader, writer = pipe
    gateway = start_gateway(
        "talking:handler", "--function-log", "text", "--log-tail", stdout=writer
    )
    os.close(writer)
    with gateway.connect() as client:
        for _ in range(12):  # 12 MB
            assert client.ask("/number?1000000", fields=TAIL).status == 200
        last = client.ask("/say?last", fields=TAIL)
        assert said(tail_of(last), last["X-Fc-Request-Id"]) == ["last"]
        data = b""

        def read() -> None:
            nonlocal data
            while part := os.read(reader, 1 << 20):
                data += part

        thread = threading.Thread(target=read)
        thread.start()
        wait_until(lambda: b"lines are missing" in data, "the log tells what is missing")
    assert gateway.stop() == 0
    thread.join()
    lines = read_text(data.decode())
    told = [line for line in lines if "lines are missing" in line.text]
    assert [(line.request_id, line.kind) for line in told] == [("-", "WARNING")]
    assert int(told[0].text.split()[0]) > 20


def test_closed_descriptors_are_none_of_the_log(start_gateway: StartGateway) -> None:
    """What is printed then reaches the log, and no client."""
    gateway = start_gateway("talking:handler", "--function-log", "text", "--threads", "2")
    with gateway.connect() as client:
        assert client.ask("/close").status == 200
        for count in range(5):
            assert client.ask(f"/say?number-{count}").body == b"ok"
    assert gateway.stop() == 0
    texts = [line.text for line in read_text(gateway.output) if line.kind == "STDOUT"]
    assert texts == ["imported", "nobody's business", *[f"number-{count}" for count in range(5)]]


ENDING = """
    import atexit
    import sys

    print("begun")
    atexit.register(print, "at the end")
    sys.stdout.write("no line end")

    def handler(environ, start_response):
        start_response("200 OK", [])
        return []
"""


def test_the_end_of_the_process(start_gateway: StartGateway) -> None:
    gateway = start_gateway("ending:handler", "--function-log", "text", source=ENDING)
    assert gateway.stop() == 0
    assert [line.text for line in read_text(gateway.output)] == [
        "begun",
        "no line end",
        "at the end",
    ]
    assert "Exception" not in gateway.errors


def test_a_handler_that_cannot_be_loaded_is_told_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("print('trying')\nraise ValueError('no luck')\n")
    options = ("--port", "0", "--function-log", "text")
    done = run_command("serve", "broken:handler", *options, folder=tmp_path)
    assert done.returncode == 2
    assert [line.text for line in read_text(done.stdout)] == ["trying"]
    assert "no luck" in done.stderr


HOOKS = """
    import logging
    import time

    def initialize(context):
        print("initializing", context.request_id == "")
        logging.info("logged")

    def pre_stop(context):
        print("stopping")
        time.sleep(1)

    def handler(environ, start_response):
        start_response("200 OK", [])
        return []
"""


def test_hooks(start_gateway: StartGateway) -> None:
    options = ["--initializer", "hooked.initialize", "--pre-stop", "hooked.pre_stop"]
    more = ["--pre-stop-timeout", "0.2", "--function-log", "text"]
    gateway = start_gateway("hooked:handler", *options, *more, source=HOOKS)
    assert gateway.stop() == 0
    ids = re.findall(r"FC \w+ Start RequestId: (\S+)", gateway.output)
    assert len(set(ids)) == 2
    lines = [re.sub(_STAMP + " ", "", line) for line in gateway.output.splitlines()]
    assert lines == [
        f"FC Initialize Start RequestId: {ids[0]}",
        f"{ids[0]} [STDOUT] initializing False",
        f"{ids[0]} [INFO] logged",
        f"FC Initialize End RequestId: {ids[0]}",
        f"FC PreStop Start RequestId: {ids[1]}",
        f"{ids[1]} [STDOUT] stopping",
        *[line for line in lines if line.startswith("- [ERROR]")],
        f"FC PreStop End RequestId: {ids[1]}, Error: Function pre-stop time out after 0.2 seconds",
    ]
