"""`gateway dev` and `--reload`: code that changes is served, and what a developer sees of it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from functional.serving import (
    Gateway,
    children_of,
    clean_environ,
    command,
    is_alive,
    run_command,
    wait_until,
)
from functional.wire import WireClient

from gateway import __version__

StartGateway = Callable[..., Gateway]

HANDLER = """\
def handler(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{version}"]
"""

WITHOUT_COLOUR = {"NO_COLOR": "", "FORCE_COLOR": "", "CLICOLOR": "", "CLICOLOR_FORCE": ""}


def _can_limit() -> bool:
    """Whether the limits of inotify(7) can be set for some processes alone."""
    script = "echo 9 > /proc/sys/user/max_inotify_watches"
    try:
        done = subprocess.run(
            ["unshare", "-Ur", "sh", "-c", script], check=False, timeout=10, capture_output=True
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0


class Developed:
    """A gateway whose code is being worked on."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder
        self._seen = len(gateway.errors)

    def write(self, text: str, name: str = "app.py") -> None:
        (self.folder / name).write_text(textwrap.dedent(text), "utf-8")

    def write_version(self, version: object) -> None:
        self.write(HANDLER.format(version=version))

    def said(self, pattern: str) -> re.Match[str]:
        """What it says next that fits."""
        found = None

        def has_come() -> bool:
            nonlocal found
            found = re.compile(pattern).search(self.gateway.errors, self._seen)
            return found is not None

        try:
            wait_until(has_come, f"it says {pattern}")
        except AssertionError:
            raise AssertionError(f"not said: {pattern}\n{self.gateway.errors}") from None
        assert found is not None
        self._seen = found.end()
        return found

    @property
    def unread(self) -> str:
        """What it has said since."""
        return self.gateway.errors[self._seen :]

    def ask(self, target: str = "/") -> bytes:
        with self.gateway.connect() as client:
            return client.ask(target).body

    @property
    def watcher_pid(self) -> int:
        (pid,) = [
            child
            for child in children_of(self.gateway.process.pid)
            if is_alive(child) and "_rust_notify" in Path(f"/proc/{child}/maps").read_text()
        ]
        return pid


@pytest.fixture(scope="module")
def shared(start_shared_gateway: StartGateway) -> Developed:
    """A server with development's defaults, whose code each test leaves in order."""
    gateway = start_shared_gateway(
        "app:handler",
        source=HANDLER.format(version="first"),
        word="dev",
        environ=WITHOUT_COLOUR | {"PYTHONDONTWRITEBYTECODE": ""},
    )
    return Developed(gateway, gateway._stderr.parent)


@pytest.fixture
def developed(shared: Developed) -> Iterator[Developed]:
    shared._seen = len(shared.gateway.errors)
    yield shared
    for path in shared.folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


# What is served.


def test_a_saved_file_is_served(developed: Developed) -> None:
    assert developed.ask() == b"first"
    developed.write_version("saved")
    seconds = float(developed.said(r"app\.py changed: reloaded in (\d+\.\d\d) s\n")[1])
    assert developed.ask() == b"saved"
    assert seconds < 10
    assert developed.unread == "", "one line, no more"


def test_what_is_said_at_the_start(developed: Developed) -> None:
    lines = developed.gateway.errors.splitlines()[:2]
    assert lines[0] == "For development only; elsewhere use gateway serve."
    assert lines[1] == (
        f"Gateway {__version__} serves app:handler (WSGI handler) with 1 worker x 8 threads, "
        f"reloading {developed.folder}, on {developed.gateway.address} "
        f"(pid {developed.gateway.process.pid})"
    )


def test_saves_within_a_second_and_of_one_size_are_told_apart(developed: Developed) -> None:
    moment = time.time_ns() - 10**10  # Where bytecode looks, they are of one moment.
    for version in (b"1", b"2", b"3"):
        path = developed.folder / "new.py"
        path.write_text(HANDLER.format(version=version.decode()))
        os.utime(path, ns=(moment, moment))
        os.replace(path, developed.folder / "app.py")  # As many editors save.
        developed.said(r"app\.py.* changed: reloaded")
        assert developed.ask() == version


def test_bytecode_that_others_have_left_is_not_run(developed: Developed) -> None:
    moment = time.time_ns() - 10**10
    path = developed.folder / "app.py"
    developed.write_version("x")
    os.utime(path, ns=(moment, moment))
    done = subprocess.run(
        [*command("check", "app:handler"), "--chdir", str(developed.folder)],
        env=clean_environ(PYTHONDONTWRITEBYTECODE=""),
        check=True,
        capture_output=True,
        timeout=20,
    )
    assert b"WSGI handler" in done.stdout
    assert list(developed.folder.glob("__pycache__/app.*.pyc"))
    developed.write_version("y")
    os.utime(path, ns=(moment, moment))
    developed.said(r"app\.py changed: reloaded")
    wait_until(lambda: developed.ask() == b"y", "what was saved last is served")


def test_code_that_cannot_be_loaded_changes_nothing(developed: Developed) -> None:
    developed.write_version("good")
    developed.said("reloaded")
    developed.write("handler = 1 / 0\n")
    developed.said(
        r"gateway: error: Module initialization error: .*ZeroDivisionError at app\.py:1 "
        r"\[UserCodeError\]\n"
        r"(  \| .*\n)+"
        r".* ERROR .*: the code cannot be loaded: the previous code stays in service until it "
        r"changes\n"
    )
    assert developed.ask() == b"good"
    assert "Traceback" not in developed.unread
    developed.write_version("mended")
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"mended"


def test_code_that_ends_its_process_or_never_ends_to_load_changes_nothing(
    developed: Developed,
) -> None:
    developed.write_version("good")
    developed.said("reloaded")
    developed.write("import os\nos._exit(0)\n")
    developed.said(r"ERROR .* worker \d+ ended with status 0 after .*: the previous code stays")
    developed.write("open('loading', 'w').close()\nwhile True: pass\n")
    wait_until((developed.folder / "loading").exists, "it loads")
    assert developed.ask() == b"good"
    developed.write_version("mended")
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"mended"
    (developed.folder / "loading").unlink()


def test_a_burst_of_saves_is_one_reload(developed: Developed) -> None:
    for number in range(5):
        developed.write(f"value = {number}\n", f"part_{number}.py")
        developed.write_version(f"burst {number}")
        time.sleep(0.02)
    developed.said(r"app\.py, part_0\.py, part_1\.py and 3 more changed: reloaded")
    assert developed.ask() == b"burst 4"
    for number in range(5):
        (developed.folder / f"part_{number}.py").unlink()
    developed.said(r"part_0\.py, part_1\.py, part_2\.py and 2 more changed: reloaded in .* s\n")
    assert developed.unread == ""


def test_folders_come_and_go(developed: Developed) -> None:
    package = developed.folder / "pack" / "inner"
    uses_it = "from pack.inner.words import word\n" + HANDLER.replace('b"{version}"', "word")
    package.mkdir(parents=True)
    developed.write("word = b'one'\n", "pack/inner/words.py")
    developed.said(r"pack/inner/words\.py changed: reloaded")
    developed.write(uses_it)
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"one"
    developed.write("word = b'two'\n", "pack/inner/words.py")
    developed.said(r"pack/inner/words\.py changed: reloaded")
    assert developed.ask() == b"two"
    # Moved away, which is a mistake; and something else in its place.
    os.rename(developed.folder / "pack", developed.folder / ".hidden")
    developed.said("the previous code stays in service")
    package.mkdir(parents=True)
    developed.write("word = b'three'\n", "pack/inner/words.py")
    developed.said("reloaded")
    assert developed.ask() == b"three"
    # A link to code elsewhere.
    shutil.rmtree(developed.folder / "pack")
    developed.said("the previous code stays in service")
    elsewhere = developed.folder.with_name("elsewhere")
    (elsewhere / "inner").mkdir(parents=True)
    (elsewhere / "inner" / "words.py").write_text("word = b'four'\n")
    os.symlink(elsewhere, developed.folder / "pack")
    developed.said("reloaded")
    assert developed.ask() == b"four"
    (elsewhere / "inner" / "words.py").write_text("word = b'fifth'\n")
    developed.said(r"pack/inner/words\.py changed: reloaded")
    assert developed.ask() == b"fifth"
    (developed.folder / "pack").unlink()
    developed.write_version("alone")
    developed.said("reloaded")


def test_modules_from_elsewhere_are_watched(developed: Developed) -> None:
    elsewhere = developed.folder.with_name("library")
    elsewhere.mkdir()
    module = elsewhere / "shared_words.py"
    module.write_text("word = b'old'\n")
    developed.write(
        f"import sys\nsys.path.append({str(elsewhere)!r})\nfrom shared_words import word\n"
        + HANDLER.replace('b"{version}"', "word")
    )
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"old"
    time.sleep(0.2)  # Until the watcher has heard of it.
    module.write_text("word = b'new'\n")
    developed.said(r"\.\./library/shared_words\.py changed: reloaded")
    assert developed.ask() == b"new"


def test_other_files_are_nobodys_business(developed: Developed) -> None:
    for name in ("data.db", "app.pyc", ".app.py.swp", ".hidden.py", "flycheck_app.py"):
        developed.write("x", name)
    for name in (".git", "node_modules", "__pycache__", "env"):
        (developed.folder / name).mkdir(exist_ok=True)
        developed.write("", f"{name}/pyvenv.cfg")
        developed.write("x = 1", f"{name}/code.py")
    developed.write_version("only")
    developed.said(r": (.*) changed: reloaded")
    assert " app.py changed" in developed.gateway.errors[developed._seen - 30 : developed._seen]
    for name in ("data.db", "app.pyc", ".app.py.swp", ".hidden.py", "flycheck_app.py"):
        (developed.folder / name).unlink()


def test_idle_connections_do_not_get_the_code_before(developed: Developed) -> None:
    developed.write_version("early")
    developed.said("reloaded")
    with developed.gateway.connect() as client:
        assert client.ask("/").body == b"early"
        developed.write_version("later")
        developed.said("reloaded")
        answer = b""
        with suppress(ConnectionError):  # So a browser makes a new one.
            client.request("/")
            answer = client.read_to_end()
        assert answer == b""
    assert developed.ask() == b"later"


def test_requests_under_way_end_and_none_is_lost(developed: Developed) -> None:
    over = Event()
    answers: list[bytes] = []
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            while not over.is_set():
                with developed.gateway.connect() as client:
                    response = client.ask("/")
                    while not over.is_set() and not response.closes:
                        answers.append(response.body)
                        response = client.ask("/")
                    answers.append(response.body)
        except BaseException as error:
            faults.append(error)

    slow = HANDLER.replace("    return", "    __import__('time').sleep(0.3)\n    return", 1)
    developed.write(slow.format(version="slow"))
    developed.said("reloaded")
    threads = [Thread(target=ask) for _ in range(4)]
    with developed.gateway.connect() as client:
        client.request("/")
        time.sleep(0.05)
        for thread in threads:
            thread.start()
        for version in range(3):
            developed.write_version(f"v{version}")
            developed.said("reloaded")
        assert client.read_response().body == b"slow"
    over.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert {b"slow", b"v2"} <= set(answers) <= {b"slow", b"v0", b"v1", b"v2"}


def test_failed_handlers_show_where(developed: Developed) -> None:
    developed.write("def handler(environ, start_response):\n    return [1 / 0]\n")
    developed.said("reloaded")
    assert b"ZeroDivisionError" in developed.ask() or b"division by zero" in developed.ask()
    assert b"app.py" in developed.ask()
    developed.said(r"(?s)Traceback.*ZeroDivisionError")
    developed.write_version("mended")
    developed.said("reloaded")


def test_the_folder_itself_may_be_exchanged(start_gateway: StartGateway, tmp_path: Path) -> None:
    for release in ("one", "two", "three"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "app.py").write_text(HANDLER.format(version=release))
    current = tmp_path / "current"
    current.symlink_to("one")
    developed = Developed(start_gateway("app:handler", "--reload", chdir=current), current)
    assert developed.ask() == b"one"
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", current)
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"two"
    current.unlink()
    developed.said(
        r"--chdir .*/current: .*\n.*: the previous code stays in service until it changes"
    )
    assert developed.ask() == b"two"
    os.rename(tmp_path / "three", current)
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"three"
    developed.write_version("four")
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"four"


# The processes.


def test_a_watcher_that_dies_is_replaced_and_nothing_is_missed(developed: Developed) -> None:
    first = developed.watcher_pid
    supervisor = Path(f"/proc/{developed.gateway.process.pid}/maps").read_text()
    assert not re.search("_rust_notify|uvloop|httptools", supervisor)
    os.kill(first, signal.SIGKILL)
    developed.write_version("meanwhile")
    developed.said(r"WARNING .* the watcher of the code was killed by SIGKILL; another is started")
    developed.said(r"the code was not watched for a while, and may have changed: reloaded")
    wait_until(lambda: developed.ask() == b"meanwhile", "it is served")
    assert not Path(f"/proc/{first}").exists(), "it is no zombie"
    developed.write_version("afterwards")
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"afterwards"


@pytest.mark.parametrize("word", ["dev", "serve"])
def test_code_that_is_broken_at_the_start_is_waited_for(
    start_gateway: StartGateway, tmp_path: Path, word: str
) -> None:
    path = tmp_path / "g.sock"
    workers = ("--workers", "3") if word == "serve" else ()
    gateway = start_gateway(
        "app:handler",
        *("--unix", str(path), "--reload", *workers),
        source="def handler(:\n",
        word=word,
        started=re.compile("until it changes"),
    )
    developed = Developed(gateway, gateway._stderr.parent)
    assert gateway.errors.count("gateway: error: ") == 1
    assert "Syntax error in module 'app'" in gateway.errors
    assert "the code cannot be loaded: requests wait until it changes" in gateway.errors
    assert "serves" not in gateway.errors
    gateway.address = f"unix:{path}"
    with WireClient(gateway.address) as client:
        client.request("/")
        developed.write("def handler(environ): pass\n")  # Another mistake.
        developed.said(r"gateway: error: .*\n.*requests wait until it changes")
        developed.write_version("mended")
        assert client.read_response().body == b"mended"
    developed.said(r"serves .*, reloading .* on unix:.*\n")
    developed.said(r"app\.py changed: reloaded")
    if workers:
        developed.write_version("again")
        developed.said(r"app\.py changed: reloaded")
        assert {developed.ask() for _ in range(20)} == {b"again"}
    count = 4 if workers else 2
    wait_until(lambda: len(children_of(gateway.process.pid)) == count, "the others have ended")
    children = children_of(gateway.process.pid)
    assert gateway.stop() == 0
    assert not any(map(is_alive, children))
    assert not path.exists()
    assert "watcher" not in developed.unread


def test_all_ends_with_the_supervisor(start_gateway: StartGateway) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    gateway = start_gateway(
        "app:handler",
        *("--fd", str(listener.fileno())),
        source=HANDLER.format(version=1),
        word="dev",
        pass_fds=(listener.fileno(),),
    )
    children = children_of(gateway.process.pid)
    assert len(children) == 2
    gateway.process.kill()
    gateway.process.wait()
    wait_until(lambda: not any(map(is_alive, children)), "watcher and worker end", 5)
    listener.close()


def test_one_interrupt_of_the_terminal_ends_all(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HANDLER.format(version=1))
    with subprocess.Popen(
        command("dev", "app:handler", "--port", "0"),
        cwd=tmp_path,
        env=clean_environ(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = "".join(process.stderr.readline() for _ in range(2))
        assert ", reloading " in said
        children = children_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 0
        rest = process.stderr.read()
        assert "SIGINT: ending" in rest
        assert "watcher" not in rest
        assert "Traceback" not in rest
        assert not any(map(is_alive, children))


def test_where_the_system_tells_nothing_it_is_looked(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "app:handler",
        *("--reload", "--reload-include", "*.html"),
        source=HANDLER.format(version="one"),
        environ={"WATCHFILES_FORCE_POLLING": "1", "WATCHFILES_POLL_DELAY_MS": "50"},
    )
    developed = Developed(gateway, gateway._stderr.parent)
    developed.write_version("two")
    developed.said(r"app\.py changed: reloaded")
    assert developed.ask() == b"two"
    developed.write("<p>", "page.html")
    developed.said(r"page\.html changed: reloaded")
    assert all(
        "_rust_notify" not in Path(f"/proc/{pid}/maps").read_text()
        for pid in children_of(gateway.process.pid)
    )


@pytest.mark.skipif(not _can_limit(), reason="no namespace of users, in which limits can be set")
@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("max_inotify_watches", "the system watches no more folders for this user"),
        ("max_inotify_instances", "the system does not tell of changes"),
    ],
)
def test_a_limit_of_the_system_is_told_and_got_round(
    tmp_path: Path, limit: str, words: str
) -> None:
    for number in range(3):
        (tmp_path / f"folder_{number}").mkdir()
    (tmp_path / "app.py").write_text(HANDLER.format(version=1))
    script = f'echo 0 > /proc/sys/user/{limit}; exec "$@"'
    with (tmp_path / "err.txt").open("wb") as errors:
        process = subprocess.Popen(
            ["unshare", "-Ur", "sh", "-c", script, "-", *command("dev", "app:handler", "--port=0")],
            cwd=tmp_path,
            env=clean_environ(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )

    def said(text: str) -> bool:
        return text in (tmp_path / "err.txt").read_text()

    try:
        wait_until(lambda: said(words), "the limit is told")
        wait_until(lambda: said("looking every 0.3 s instead"), "and what follows")
        wait_until(lambda: said(" serves app:handler "), "it serves")
        (tmp_path / "app.py").write_text(HANDLER.format(version=22))
        wait_until(lambda: said("app.py changed: reloaded"), "it reloads")
    finally:
        process.terminate()
        assert process.wait(10) == 0


# Options.


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("serve", "app:handler", "--reload", "--workers", "0"),
            "--reload replaces worker processes, and with --workers 0 there are none: "
            "remove that, or give --no-reload",
        ),
        (
            ("dev", "app:handler", "--workers", "0"),
            "gateway dev replaces worker processes, and with --workers 0 there are none: "
            "remove that, or give --no-reload",
        ),
        (("dev", "app:handler", "--threads", "0"), "--threads: '0' is too small; .*"),
        (
            ("dev", "app:handler", "--chdir", "/nowhere"),
            "--chdir /nowhere: is no folder; name the folder of the handler",
        ),
        (
            ("dev", "app:handler", "--profile-invocations", "table", "--port", "0"),
            "--profile-invocations measures WSGI handlers, and this is an ASGI application",
        ),
    ],
)
def test_what_is_no_matter_of_the_code_ends_the_start(
    tmp_path: Path, arguments: tuple[str, ...], line: str
) -> None:
    (tmp_path / "app.py").write_text("async def handler(scope, receive, send): ...\n")
    done = run_command(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert re.search(f"^gateway: error: {line}$", done.stderr, re.MULTILINE), done.stderr


def test_without_reload_one_process_develops(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "app:handler",
        *("--workers", "0", "--no-reload", "--access-log", "json"),
        source=HANDLER.format(version=1),
        word="dev",
    )
    assert children_of(gateway.process.pid) == []
    with gateway.connect() as client:
        assert client.ask("/").body == b"1"
    assert "reloading" not in gateway.errors
    wait_until(lambda: gateway.output.startswith("{"), "what was set goes before")


def test_without_a_target_there_is_the_demonstration(start_gateway: StartGateway) -> None:
    gateway = start_gateway("", chdir=None, word="dev")
    with gateway.connect() as client:
        assert client.ask("/").status == 200
    assert "serves gateway.demo:handler (WSGI handler) with" in gateway.errors


# What is seen of requests.


class Screen:
    """A terminal, and what is on it."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self.text = ""

    def shows(self, pattern: str) -> bool:
        with suppress(OSError):  # BlockingIOError; EIO when nobody has it open.
            self.text += os.read(self.master, 65536).decode()
        return re.search(pattern, self.text) is not None


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    os.close(made.master)
    os.close(made.slave)


STATUSES = """\
import time
def handler(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/print":
        print("a word of the handler")
    if path == "/slow":
        time.sleep(1.05)
    status = path.strip("/") if path.strip("/").isdecimal() else "200"
    start_response(f"{status} X", [])
    return [b"x" * 12]
"""

TIME = r"\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m"
TOOK = r"\d+\.\d ms\r\n"


def test_requests_are_shown_in_colour_on_a_terminal(
    start_gateway: StartGateway, screen: Screen
) -> None:
    gateway = start_gateway(
        "app:handler",
        source=STATUSES,
        word="dev",
        stdout=screen.slave,
        environ=WITHOUT_COLOUR | {"TERM": "xterm"},
    )
    with gateway.connect() as client:
        for target, line in [
            ("/print?a=b", rf"a word of the handler\r\n{TIME} GET /print\?a=b "),
            ("/200", rf"{TIME} GET /200 \x1b\[32m200\x1b\[0m 12 B {TOOK}"),
            ("/302", rf"GET /302 \x1b\[36m302\x1b\[0m 12 B {TOOK}"),
            ("/404", rf"GET /404 \x1b\[33m404\x1b\[0m 12 B {TOOK}"),
            ("/503", rf"GET /503 \x1b\[31m503\x1b\[0m 12 B {TOOK}"),
            ("/slow", r"GET /slow \x1b\[32m200\x1b\[0m 12 B \x1b\[33m1\.\d\d s \(slow\)\x1b\[0m"),
        ]:
            client.ask(target)
            wait_until(lambda line=line: screen.shows(line), repr(line))
        client.ask('/%1b[31m?"\\')
        wait_until(lambda: screen.shows(r"GET /%1b\[31m\?\\x22\\x5c .*ms\r\n"), "it is escaped")
    with gateway.connect() as client:
        client.send(b"GET /\x9b31m\xff\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_response().status == 400
        refused = rf"{TIME} - \x1b\[33m400\x1b\[0m \d+ B \d+\.\d ms InvalidArgument\r\n"
        wait_until(lambda: screen.shows(refused), "it is told")
    left = re.sub(r"\x1b\[(?:0|2|3[1236])m", "", screen.text)
    assert re.fullmatch(r"[ -~\r\n]*", left), "nothing of a client's is a control"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colour_gets_none(
    start_gateway: StartGateway, screen: Screen, environ: dict[str, str]
) -> None:
    gateway = start_gateway(
        "app:handler",
        *("--access-log", "short"),
        source=STATUSES,
        stdout=screen.slave,
        environ=WITHOUT_COLOUR | {"TERM": "xterm"} | environ,
    )
    with gateway.connect() as client:
        client.ask("/404")
    wait_until(
        lambda: screen.shows(rf"\A\d\d:\d\d:\d\d GET /404 404 12 B {TOOK}\Z"), "a line without"
    )


def test_a_file_gets_plain_lines(shared: Developed) -> None:
    shared.ask("/plain")
    wait_until(
        lambda: re.search(
            r"^\d\d:\d\d:\d\d GET /plain 200 \d+ B \d+\.\d ms$", shared.gateway.output, re.MULTILINE
        ),
        "the line is there",
    )
    assert "\x1b" not in shared.gateway.output
