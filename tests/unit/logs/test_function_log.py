"""The function log in one process: whose words are whose, and when."""

import asyncio
import contextlib
import contextvars
import gc
import io
import logging
import os
import re
import sys
import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import pytest

from gateway.error_log import loggers
from gateway.error_log.writer import ErrorLog
from gateway.logs.function_log import FunctionLog
from gateway.logs.line_forms import TextForm
from gateway.logs.output_streams import LoggedStream, TeeStream

STAMP = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


SILENT = ErrorLog(None, "info")


class Rig:
    """A log whose lines are here, without their times, and streams over files."""

    def __init__(self, monkeypatch, form):
        self.lines = []
        self.file = io.BytesIO()
        self._monkeypatch = monkeypatch
        self._form = form

    @cached_property
    def log(self):
        """Installed when a test first asks: pytest itself puts streams in place before it."""
        setattr_ = self._monkeypatch.setattr
        setattr_(sys, "stdout", io.TextIOWrapper(self.file, "utf-8"))
        setattr_(sys, "stderr", io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"))
        setattr_(logging.root, "handlers", [])
        setattr_(logging.root, "level", logging.INFO)
        setattr_(logging, "lastResort", logging.NullHandler())
        setattr_(loggers, "_voice", SILENT)  # As where the command has begun.
        self._monkeypatch.setitem(loggers._diverted, "gateway.function", None)
        log = FunctionLog(self._form, self.put, memory=256, tail_readers="everybody")
        log.install()
        return log

    def put(self, line):
        assert line.endswith("\n")
        self.lines += re.sub(rf"(?m)^{STAMP}", "", line).splitlines()

    @property
    def printed(self):
        sys.stdout.flush()
        return self.file.getvalue().decode()

    def run(self, function, request_id="id-1", *, wants_tail=True):
        """Run in an invocation; its attendance, which is over."""
        log = self.log

        def attended():
            with log.attend("Invoke", request_id, wants_tail) as attendance:
                function()
            return attendance

        with ThreadPoolExecutor(1) as thread:  # Whose stack is short.
            return thread.submit(contextvars.Context().run, attended).result()

    def tail(self, function):
        """What an invocation shows its client, without marks, times and the closing line."""
        lines = tail_of(self.run(function))
        assert lines[0] == "FC Invoke Start RequestId: id-1"
        assert lines[-3] == "FC Invoke End RequestId: id-1"
        return lines[1:-3]


def raised(error):
    """The error, with a traceback."""
    try:
        raise error
    except type(error):
        return error


def tail_of(attendance):
    return re.sub(rf"(?m)^{STAMP}", "", b64decode(attendance.take_tail()).decode()).splitlines()


@pytest.fixture
def logged(monkeypatch):
    return Rig(monkeypatch, TextForm())


@pytest.fixture
def overheard(monkeypatch):
    return Rig(monkeypatch, None)


@pytest.fixture(params=["logged", "overheard"])
def rig(request):
    return request.getfixturevalue(request.param)


def test_marks_and_the_closing_line(logged):
    lines = tail_of(logged.run(lambda: None))
    assert logged.lines == ["FC Invoke Start RequestId: id-1", "FC Invoke End RequestId: id-1"]
    assert lines[:2] == logged.lines
    assert lines[2] == ""
    match = re.fullmatch(
        r"Duration: (\d+\.\d\d) ms, Billed Duration: (\d+) ms, "
        r"Memory Size: 256 MB, Max Memory Used: (\d+\.\d\d) MB",
        lines[3],
    )
    assert 0 <= float(match[1]) <= int(match[2])
    assert 1 < float(match[3]) < 10_000


@pytest.mark.parametrize("phase", ["Initialize", "PreFreeze", "PreStop"])
def test_hooks(logged, phase):
    def fail():
        with logged.log.attend(phase, "id-2"):
            print("inside")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    print("outside")
    assert logged.lines == [
        f"FC {phase} Start RequestId: id-2",
        "id-2 [STDOUT] inside",
        f"FC {phase} End RequestId: id-2, Error: Unhandled function error",
        "- [STDOUT] outside",
    ]


def test_a_task_that_is_cancelled(logged):
    async def main():
        async def run():
            with logged.log.attend("Invoke", "id-3"):
                await asyncio.sleep(60)

        task = asyncio.create_task(run())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert logged.lines[-1] == "FC Invoke End RequestId: id-3, Error: Invocation stopped"


def test_the_end_is_written_once_and_the_first_fault_counts(logged):
    attendance = logged.log.attend("Invoke", "id-1")
    with attendance:
        attendance.fail("first")
        attendance.end("second")
        attendance.end()
        print("late")
    assert logged.lines == [
        "FC Invoke Start RequestId: id-1",
        "FC Invoke End RequestId: id-1, Error: first",
        "id-1 [STDOUT] late",
    ]


def test_a_tail_is_taken_once_and_is_closed_by_the_end(rig):
    attendance = rig.run(lambda: print("a"))
    assert tail_of(attendance)[1] == "a"
    assert attendance.take_tail() == ""
    assert rig.run(lambda: print("a"), wants_tail=False).take_tail() == ""


def test_leftovers_reach_no_tail(rig):
    kept = []

    def leave():
        print("in time")
        kept.append(contextvars.copy_context())

    first = rig.run(leave)
    second = rig.log.attend("Invoke", "id-2", True)
    with second:
        kept[0].run(print, "too late")
        kept[0].run(logging.warning, "too late")
    assert "too late" not in "\n".join(tail_of(first) + tail_of(second))
    assert rig.log.is_on == any("too late" in line for line in rig.lines)


def test_without_tails_none_is_made():
    log = FunctionLog(None, lambda _: None, memory=1, tail_readers="nobody")
    with log.attend("Invoke", "id", True) as attendance:
        assert not attendance.wants_tail
    assert attendance.take_tail() == ""


def test_pieces_are_put_together(rig):
    def talk():
        print("a", 1, sep="-", end="")
        sys.stderr.write("err")
        logging.root.warning("%s", "logged")
        print("b")
        sys.stderr.write("or")
        sys.stdout.buffer.write("gr\u00fcn".encode()[:3])
        sys.stdout.buffer.write("gr\u00fcn".encode()[3:])

    assert rig.tail(talk) == ["id-1 [WARNING] logged", "a-1b", "grün", "error"]


def test_each_in_its_thread(rig):
    """Twenty at once, in step, so that each piece comes between others'."""
    barrier = threading.Barrier(20)

    def talk(number):
        def inside():
            for count in range(5):
                for piece in (f"{number}", " says ", f"{count}", "\n"):
                    barrier.wait(10)
                    sys.stdout.write(piece)

        return tail_of(rig.run(inside, f"id-{number}"))[1:-3]

    with ThreadPoolExecutor(20) as pool:
        for number, tail in enumerate(pool.map(talk, range(20))):
            assert tail == [f"{number} says {count}" for count in range(5)]
    if rig.log.is_on:
        said = [line for line in rig.lines if "STDOUT" in line]
        assert sorted(said) == sorted(
            f"id-{number} [STDOUT] {number} says {count}"
            for number in range(20)
            for count in range(5)
        )


def test_threads_without_context_keep_their_own_lines(logged):
    assert logged.log.is_on
    barrier = threading.Barrier(2)

    def talk(name):
        for piece in (name, name, "\n", "end"):
            barrier.wait(10)
            sys.stdout.write(piece)

    threads = [threading.Thread(target=talk, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del threads, thread
    gc.collect()
    assert sorted(logged.lines) == [
        "- [STDOUT] aa",
        "- [STDOUT] bb",
        "- [STDOUT] end",
        "- [STDOUT] end",
    ]


def test_tasks_and_their_threads_have_the_context(rig):
    def talk():
        async def main():
            print("main")
            await asyncio.create_task(aside())
            await asyncio.to_thread(print, "thread")

        async def aside():
            print("task")

        asyncio.run(main())

    assert rig.tail(talk) == ["main", "task", "thread"]


def test_what_handlers_do_to_standard_output_themselves(rig):
    def talk():
        with contextlib.redirect_stdout(io.StringIO()) as caught:
            print("caught")
        print(caught.getvalue(), end="")
        with contextlib.redirect_stderr(sys.stdout):
            print("to out", file=sys.stderr)
        replaced, sys.stdout = sys.stdout, io.StringIO()
        print("nobody hears")
        sys.stdout = replaced
        print("back")

    assert rig.tail(talk) == ["caught", "to out", "back"]


def test_values_that_are_no_text(rig):
    def talk():
        for wrong in (b"x", 1, None):
            with pytest.raises(TypeError):
                sys.stdout.write(wrong)
        with pytest.raises(TypeError):
            sys.stdout.buffer.write("text")

        class Text(str):
            def __str__(self):
                return "other"

            def rfind(self, *_):
                raise AssertionError

        assert sys.stdout.write(Text("sub\n")) == 4
        assert sys.stdout.buffer.write(bytearray(b"array\n")) == 6
        sys.stdout.writelines(["a", "b\n"])

    assert rig.tail(talk) == ["sub", "array", "ab"]


def test_a_logged_stream_never_fails(logged):
    assert logged.log.is_on
    stream = sys.stdout
    assert isinstance(stream, LoggedStream)
    assert isinstance(stream, io.TextIOWrapper)

    def talk():
        print("\udc80 \x00")
        stream.close()
        stream.buffer.close()
        sys.stdout.flush()
        assert not stream.closed
        stream.detach().write(b"bytes\n")
        stream.reconfigure(encoding="ascii", errors="strict")
        print("gr\u00fcn")
        stream.writelines(["line\n"])

    assert logged.tail(talk) == ["\\udc80 \\x00", "bytes", "grün", "line"]
    assert not stream.isatty()
    assert logged.printed == ""


def test_huge_texts(logged):
    logged.run(lambda: print("x" * 1_000_000))
    printed = [line for line in logged.lines if "STDOUT" in line]
    assert len(printed) == -(-1_000_000 // 65_536)


def test_an_overheard_stream_is_the_file_s_own_while_nobody_listens(overheard):
    assert not overheard.log.is_on
    stream = sys.stdout
    assert isinstance(stream, TeeStream)
    assert "write" not in vars(stream)
    print("before")
    assert overheard.tail(lambda: print("heard")) == ["heard"]
    assert "write" not in vars(stream)
    assert overheard.log._tails == 0
    stream.flush()
    stream.buffer.write(b"bytes\n")
    print("after")
    assert overheard.printed == "before\nheard\nbytes\nafter\n"
    assert overheard.lines == []


def test_what_is_overheard_fails_as_it_would(overheard):
    def talk():
        with pytest.raises(UnicodeEncodeError):
            print("\udc80")

    overheard.run(talk)


def test_others_are_not_heard(overheard):
    def talk():
        print("mine")
        contextvars.Context().run(print, "another's")
        contextvars.Context().run(logging.warning, "another's")

    assert overheard.tail(talk) == ["mine"]
    assert overheard.printed == "mine\nanother's\n"


# Records.


def test_records_of_any_logger(rig):
    def talk():
        logging.getLogger("a.b").info("%s and %d", "text", 1)
        loggers.logger("gateway.function").error("id-1: told by the gateway")
        loggers.logger("gateway.pool").error("the gateway's own")
        logging.getLogger("gateway.models").error("a user's package of that name")
        logging.getLogger("gateways").error("not the gateway's")
        logging.getLogger("a").debug("too little")
        logging.root.warning("two\nlines")

    assert rig.tail(talk) == [
        "id-1 [INFO] text and 1",
        "id-1 [ERROR] told by the gateway",
        "id-1 [ERROR] a user's package of that name",
        "id-1 [ERROR] not the gateway's",
        "id-1 [WARNING] two",
        "  | lines",
    ]


@pytest.mark.parametrize("shows_stack", [False, True])
def test_stacks(rig, shows_stack):
    rig.log.shows_stack = shows_stack

    def talk():
        try:
            raise KeyError("inner")
        except KeyError:
            logging.root.exception("caught")
        logging.root.error("here", stack_info=True)

    tail = rig.tail(talk)
    assert any(line.startswith("  |   File") for line in tail) is shows_stack
    assert any("Stack (most recent" in line for line in tail) is shows_stack
    assert tail[0] == "id-1 [ERROR] caught"
    assert "  | KeyError: 'inner'" in tail
    if rig.log.is_on:
        assert any("  | Traceback" in line for line in rig.lines)


def test_an_exception_that_cannot_be_told(logged):
    class Bad(Exception):
        def __str__(self):
            raise SystemExit

    def talk():
        try:
            raise Bad
        except Bad:
            logging.root.exception("caught")

    assert logged.tail(talk)[1] == "  | Bad: <SystemExit in str() of the exception>"


def test_what_the_gateway_tells_reaches_the_log_whatever_became_of_logging(logged):
    logging.getLogger("gateway.function").disabled = True
    try:
        with logged.log.attend("Invoke", "id-1") as attendance:
            error = raised(ValueError("why"))
            assert attendance.tell(logging.ERROR, "it failed", error)
    finally:
        logging.getLogger("gateway.function").disabled = False
    assert logged.lines[1:3] == [
        "id-1 [ERROR] it failed",
        "id-1 [ERROR]   | Traceback (most recent call last):",
    ]


def test_without_a_log_the_gateway_tells_its_own(overheard):
    with overheard.log.attend("Invoke", "id-1", True) as attendance:
        assert not attendance.tell(logging.ERROR, "it failed", None)


def test_a_formatter_of_the_function_s_own(logged):
    logged.log.form  # noqa: B018  # Makes it.
    (handler,) = logging.root.handlers
    handler.setFormatter(logging.Formatter("OWN %(name)s %(message)s"))
    assert logged.tail(lambda: logging.root.warning("text")) == ["id-1 [WARNING] OWN root text"]


def test_without_a_function_log_logging_is_as_python_has_made_it(overheard, tmp_path):
    """`basicConfig` does nothing where the root logger has a handler."""
    overheard.log.form  # noqa: B018  # Makes it.
    path = tmp_path / "own.log"

    def configure_and_talk():
        logging.root.warning("before")
        assert logging.root.handlers == []
        logging.basicConfig(filename=path, level=logging.DEBUG, format="%(message)s")
        logging.debug("detail")

    assert overheard.tail(configure_and_talk) == ["id-1 [WARNING] before"]
    assert path.read_text() == "detail\n"


def test_a_record_that_cannot_be_formatted_is_told_as_python_does(logged):
    tail = logged.tail(lambda: logging.root.warning("%d", "text"))
    assert tail[0] == "--- Logging error ---"


def test_a_forked_child_writes_by_itself(logged, tmp_path):
    """It has no writer, must not end the invocation a second time, and holds no dead lock."""
    path = tmp_path / "out"

    attendance = logged.log.attend("Invoke", "id-1")
    holder_is_in, may_go = threading.Event(), threading.Event()

    def hold():
        with attendance._lock:
            holder_is_in.set()
            may_go.wait(10)

    def run():
        with attendance:
            thread = threading.Thread(target=hold)
            sys.stdout.write("")
            thread.start()
            holder_is_in.wait(10)
            child = os.fork()
            if not child:
                descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
                os.dup2(descriptor, 1)
                print("in the child")
                attendance.end()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            may_go.set()
            thread.join()

    contextvars.Context().run(run)
    assert re.sub(STAMP, "", path.read_text()) == "id-1 [STDOUT] in the child\n"
    assert logged.lines == ["FC Invoke Start RequestId: id-1", "FC Invoke End RequestId: id-1"]


def test_a_forked_child_leaves_the_half_line_to_its_parent(logged, tmp_path):
    """What the handler printed before it forked would be written twice otherwise."""
    path = tmp_path / "out"

    def run():
        with logged.log.attend("Invoke", "id-1"):
            sys.stdout.write("half ")
            child = os.fork()
            if not child:
                os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY), 1)
                print("of the child")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print("and half")

    contextvars.Context().run(run)
    assert re.sub(STAMP, "", path.read_text()) == "id-1 [STDOUT] of the child\n"
    assert "id-1 [STDOUT] half and half" in logged.lines


def test_it_withdraws(rig):
    log = rig.log
    ours = sys.stdout
    log.withdraw()
    assert sys.stdout is not ours
    assert not isinstance(sys.stdout, LoggedStream | TeeStream)
    somebody = sys.stdout = io.StringIO()
    rig.log.withdraw()
    assert sys.stdout is somebody


def test_behind_the_end_lines_go_out_directly(logged, capfd):
    log = logged.log
    sys.stdout.write("not ended")
    log.leave()
    print("bye")
    assert logged.lines == ["- [STDOUT] not ended"]
    assert capfd.readouterr().out.endswith("- [STDOUT] bye\n")


def test_streams_that_are_not_there(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(logging.root, "handlers", [])
    stdout = sys.stdout
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.NullHandler())
    monkeypatch.setitem(loggers._diverted, "gateway.function", None)
    FunctionLog(None, lambda _: None, memory=1).install()
    assert (sys.stdout, sys.stderr) == (stdout, None)
    lines = []
    FunctionLog(TextForm(), lines.append, memory=1).install()
    print("said", file=sys.stderr)
    assert lines[0].endswith("- [STDERR] said\n")


def test_request_ids_that_a_client_could_have_chosen(logged):
    logged.run(lambda: print("x"), "a\nb\x1b")
    assert logged.lines[1] == "a\\nb\\x1b [STDOUT] x"


def test_reprs(logged):
    attendance = logged.log.attend("Invoke", "id-1")
    assert repr(attendance) == "<InvocationLog Invoke id-1 not begun>"
    with attendance:
        assert repr(attendance) == "<InvocationLog Invoke id-1 open>"
    assert repr(attendance) == "<InvocationLog Invoke id-1 over>"
    assert repr(logged.log) == "<FunctionLog TextForm 0 tails>"
