"""Where keys come from: files, and URLs on the loop and in their threads."""

import asyncio
import logging
import threading

import pytest
from unit.http.wire import ManualLoop
from unit.triggers.issuer import answered, key_set, public_jwk, server

from gateway.errors import UsageError
from gateway.triggers.key_sources import FileSource, TextSource, UrlSource
from gateway.triggers.text_at_url import FetchError

ONE = key_set(public_jwk("P-256", kid="one"))
TWO = key_set(public_jwk("P-256", 1, kid="two"))


def test_a_file(tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(ONE)
    source = FileSource(path)
    assert source.keys.knows("one")
    source.start(asyncio.new_event_loop())
    assert source.refresh() is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "cannot read .*No such file"),
        (b"", "is no JSON"),
        (b'{"keys": []}', "has no key that can be used"),
        (ONE.ljust(1024 * 1024 + 1), "is larger than 1 MB"),
    ],
)
def test_a_file_that_is_none(tmp_path, data, says):
    path = tmp_path / "keys.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match="--jwks: .*" + says):
        FileSource(path)


def test_the_largest_file(tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(ONE.ljust(1024 * 1024))
    assert FileSource(path).keys.knows("one")


class Loop(ManualLoop):
    """Called from threads, too: `settle` waits for them."""

    def __init__(self):
        super().__init__()
        self.came = threading.Semaphore(0)

    def call_soon_threadsafe(self, callback, *arguments):
        self.call_soon(callback, *arguments)
        self.came.release()

    def settle(self):
        """Take the next answer."""
        assert self.came.acquire(timeout=10)
        self.run()


class Issuer:
    """Answers with what it is told to; counts."""

    def __init__(self, answer=ONE):
        self.answer = answer
        self.asked = 0

    def __call__(self, url):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def loop():
    return Loop()


def started(loop, issuer):
    source = UrlSource("https://issuer.test/keys", fetch=issuer)
    assert source.refresh() is None  # Not before the loop is there.
    source.start(loop)
    return source


def test_who_comes_before_the_first_answer_waits_for_it(loop):
    source = started(loop, Issuer())
    assert source.keys is None
    called = []
    source.refresh().when_over(lambda: called.append(source.keys))
    loop.settle()
    assert called == [source.keys]
    assert source.keys.knows("one")
    assert "issuer.test" in repr(source)


def test_a_wait_is_bounded(loop):
    gate = threading.Event()

    def slow(url):
        assert gate.wait(10)
        return ONE

    source = started(loop, slow)
    called = []
    source.refresh().when_over(lambda: called.append(source.keys))
    loop.advance(4.9)
    assert called == []
    loop.advance(0.2)
    assert called == [None]
    gate.set()
    loop.settle()
    assert source.keys.knows("one")
    assert called == [None]


def test_who_has_waited_goes_on_one_in_a_turn_of_the_loop():
    """Whatever one of them does, the others go on; and the loop serves others in between."""

    async def main():
        loop = asyncio.get_running_loop()
        told = []
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        source = UrlSource("https://issuer.test/keys", fetch=Issuer())
        source.start(loop)
        turns = 0
        seen = []
        fault = ValueError("odd")

        def go_on():
            seen.append(turns)
            if len(seen) == 2:
                raise fault

        for _ in range(5):
            source.refresh().when_over(go_on)
        while len(seen) < 5:
            await asyncio.sleep(0)
            turns += 1
        assert len({*seen}) == 5
        assert told == [fault]

    asyncio.run(asyncio.wait_for(main(), 10))


def test_one_question_at_a_time(loop):
    gate = threading.Event()
    asked = []

    def slow(url):
        asked.append(url)
        assert gate.wait(10)
        return ONE

    source = started(loop, slow)
    waits = {id(source.refresh()) for _ in range(5)}
    assert len(waits) == 1
    loop.advance(5)
    assert source.refresh() is None, "who comes now would wait for what is late"
    gate.set()
    loop.settle()
    assert len(asked) == 1
    assert source.keys.knows("one")


def test_a_new_key_comes_when_it_is_asked_for(loop):
    issuer = Issuer()
    source = started(loop, issuer)
    loop.settle()
    issuer.answer = TWO
    called = []
    source.refresh().when_over(lambda: called.append(source.keys.knows("two")))
    loop.settle()
    assert called == [True]
    assert not source.keys.knows("one")


def test_how_often_strangers_can_ask(loop):
    issuer = Issuer()
    source = started(loop, issuer)
    loop.settle()
    for _ in range(5):
        assert source.refresh() is not None
        loop.settle()
    assert source.refresh() is None
    loop.advance(9.9)
    assert source.refresh() is None
    loop.advance(0.2)
    assert source.refresh() is not None
    loop.settle()
    assert source.refresh() is None
    assert issuer.asked == 7


def test_it_is_asked_again_and_again(loop):
    issuer = Issuer()
    source = started(loop, issuer)
    loop.settle()
    before = source.keys
    loop.advance(299)
    assert issuer.asked == 1
    loop.advance(2)
    loop.settle()
    assert issuer.asked == 2
    assert source.keys is before, "the same text is the same keys"
    issuer.answer = TWO
    loop.advance(301)
    loop.settle()
    assert source.keys.knows("two")


@pytest.mark.parametrize(
    "fault", [FetchError("there is no answer"), b"", b'{"keys": []}', AttributeError("odd")]
)
def test_a_bad_answer_changes_nothing_and_is_told(loop, fault, caplog):
    issuer = Issuer()
    source = started(loop, issuer)
    loop.settle()
    issuer.answer = fault
    loop.advance(301)
    loop.settle()
    assert source.keys.knows("one")
    assert "--jwks: " in caplog.text
    issuer.answer = TWO
    loop.advance(1.1)
    loop.settle()
    assert source.keys.knows("two")


@pytest.mark.parametrize(
    ("url", "is_warned_of"),
    [
        ("http://issuer.test/keys", True),
        ("HTTP://127.0.0.2/keys", True),
        ("https://issuer.test/keys", False),
        ("http://LOCALHOST:8000/keys", False),
        ("http://127.0.0.1/keys", False),
        ("http://[::1]/keys", False),
    ],
)
def test_keys_that_anybody_can_exchange(url, is_warned_of, caplog):
    UrlSource(url)
    assert ("use https" in caplog.text) is is_warned_of


def test_without_a_thread_it_is_asked_again(loop, monkeypatch, caplog):
    def start(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        source = started(loop, Issuer())
        wait = source.refresh()
        loop.run()
    assert wait.is_over
    assert "--jwks: can't start new thread" in caplog.text
    loop.advance(1.1)
    loop.settle()
    assert source.keys.knows("one")


def test_a_server_that_is_down_is_asked_again_soon_then_later(loop):
    issuer = Issuer(FetchError("down"))
    source = started(loop, issuer)
    loop.settle()
    assert source.keys is None
    assert source.refresh() is None, "nobody waits for it"
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        asked = issuer.asked
        loop.advance(pause - 0.1)
        assert issuer.asked == asked
        loop.advance(0.2)
        loop.settle()
        assert issuer.asked == asked + 1
    issuer.answer = ONE
    loop.advance(61)
    loop.settle()
    assert source.keys.knows("one")


def test_threads_and_the_loop_together():
    """A real loop, a real server."""

    async def main(url):
        source = UrlSource(url)
        source.start(asyncio.get_running_loop())
        came = asyncio.Event()
        source.refresh().when_over(came.set)
        await asyncio.wait_for(came.wait(), 10)
        return source.keys

    with server(answered(ONE)) as (url, _):
        assert asyncio.run(main(url)).knows("one")


@pytest.fixture(autouse=True)
def _level(caplog):
    caplog.set_level(logging.WARNING)


def test_a_text_may_be_the_key_set_itself(loop):
    source = TextSource(ONE.decode())
    source.start(loop)
    assert source.keys.knows("one")
    assert source.refresh() is None
    with pytest.raises(UsageError, match=r"^--jwks: the key set "):
        TextSource('{"keys": []}')
