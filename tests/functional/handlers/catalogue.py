"""Ways in which a handler can answer, right and wrong: the path names one.

`/log` tells, as a JSON list, what the handlers noted; `note` takes notes.
"""

import contextvars
import io
import json
import sys
import threading
import time

PLAIN = [("Content-Type", "text/plain")]

_notes = []
_variable = contextvars.ContextVar("variable", default="unset")


def note(text):
    _notes.append(text)


class Parts:
    """An iterable with a `close` that is noted."""

    def __init__(self, name, parts):
        self.name = name
        self.parts = iter(parts)

    def __iter__(self):
        return self

    def __next__(self):
        part = next(self.parts)
        if isinstance(part, BaseException):
            raise part
        return part() if callable(part) else part

    def close(self):
        note(f"{self.name} closed")


def handler(environ, start_response):
    _, name, *arguments = environ["PATH_INFO"].split("/")
    if name == "log":
        start_response("200 OK", PLAIN)
        return [json.dumps(_notes).encode()]
    return CATALOGUE[name](environ, start_response, *arguments)


CATALOGUE = {}


def way(function):
    CATALOGUE[function.__name__.replace("_", "-")] = function
    return function


# Right ways.


@way
def generator(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"one "
    yield b""
    yield b"two"


@way
def generator_function_late_head(environ, start_response):
    yield from ()
    start_response("200 OK", PLAIN)
    yield b"late"


@way
def empty_list(environ, start_response):
    start_response("200 OK", PLAIN)
    return []


@way
def empty_parts(environ, start_response, name="empty"):
    start_response("200 OK", PLAIN)
    return Parts(name, [b"", b""])


@way
def parts(environ, start_response, name):
    start_response("200 OK", PLAIN)
    return Parts(name, [b"one ", b"two"])


@way
def write(environ, start_response):
    send = start_response("200 OK", PLAIN)
    send(b"one ")
    send(b"two ")
    return [b"three"]


@way
def write_with_length(environ, start_response):
    send = start_response("200 OK", [*PLAIN, ("Content-Length", "8")])
    send(b"one ")
    return [b"two", b"!"]


@way
def tuple_of_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    return (b"one ", b"two")


@way
def exc_info_before(environ, start_response):
    start_response("200 OK", PLAIN)
    try:
        raise ValueError("replaced")
    except ValueError:
        start_response("500 Replaced", [("X-Replaced", "yes")], sys.exc_info())
    return [b"sorry"]


@way
def file_wrapper(environ, start_response, name, size):
    class File(io.BytesIO):
        def close(self):
            note(f"{name} closed")
            super().close()

    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](File(b"f" * int(size)), 8192)


@way
def file_like_iterable(environ, start_response):
    start_response("200 OK", PLAIN)
    return io.BytesIO(b"line 1\nline 2\n")


@way
def many_fields(environ, start_response):
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    start_response("200 OK", [*PLAIN, *cookies, ("X-Latin", "Zo\xeb")])
    return [b"ok"]


@way
def status(environ, start_response, code, phrase=None):
    start_response(code if phrase is None else f"{code} {phrase}", PLAIN)
    return [b"body"]


@way
def variable(environ, start_response):
    def behind():
        return f" {_variable.get()}".encode()

    before = _variable.get()
    _variable.set("set")
    start_response("200 OK", PLAIN)
    return Parts("variable", [before.encode(), behind])


@way
def length_of_head(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "1234")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"x" * 1234]


# Leniently taken.


@way
def bare_bytes(environ, start_response):
    start_response("200 OK", PLAIN)
    return b"bare bytes"


@way
def bare_text(environ, start_response):
    start_response("200 OK", PLAIN)
    return "bare text: ü"


@way
def text_items(environ, start_response):
    start_response("200 OK", PLAIN)
    return ["text: ", "ü ", b"and bytes"]


@way
def text_parts(environ, start_response):
    start_response("200 OK", PLAIN)
    return iter(["text: ", "ü"])


@way
def bytearrays(environ, start_response):
    start_response("200 OK", PLAIN)
    return iter([bytearray(b"one "), memoryview(b"two")])


@way
def reserved(environ, start_response):
    fields = [
        ("X-Fc-Request-Id", "forged"),
        ("x-fc-anything", "forged"),
        ("Connection", "forged"),
        ("Date", "forged"),
        ("Keep-Alive", "forged"),
        ("Server", "forged"),
        ("Upgrade", "forged"),
        ("X-Kept", "yes"),
    ]
    start_response("200 OK", [*PLAIN, *fields])
    return [b"ok"]


@way
def body_where_none_may_be(environ, start_response, code):
    start_response(f"{code} Empty", [])
    return [b"GET /evil HTTP/1.1\r\n\r\n"]


@way
def body_in_parts_where_none_may_be(environ, start_response, code):
    start_response(f"{code} Empty", [])
    return iter([b"HTTP/1.1 200 OK\r\n", b"\r\n"])


# Wrong ways.


@way
def raising(environ, start_response):
    raise ValueError("before the head")


@way
def raising_without_text(environ, start_response):
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError

    raise Silent


@way
def raising_behind_start_response(environ, start_response):
    start_response("200 OK", PLAIN)
    raise KeyError("behind start_response")


@way
def raising_in_first_part(environ, start_response, name):
    start_response("200 OK", PLAIN)
    return Parts(name, [ValueError("in the first part")])


@way
def raising_after_empty_part(environ, start_response, name):
    start_response("200 OK", PLAIN)
    return Parts(name, [b"", ValueError("behind an empty part")])


@way
def raising_after_head(environ, start_response, name):
    start_response("200 OK", PLAIN)
    return Parts(name, [b"begun ", ValueError("too late")])


@way
def raising_after_head_with_length(environ, start_response, name):
    start_response("200 OK", [*PLAIN, ("Content-Length", "100")])
    return Parts(name, [b"begun ", ValueError("too late")])


@way
def raising_in_close(environ, start_response):
    class Raising(Parts):
        def close(self):
            raise ValueError("in close")

    start_response("200 OK", PLAIN)
    return Raising("raising", [b"one ", b"two"])


@way
def exc_info_after(environ, start_response, name):
    start_response("200 OK", PLAIN)

    def late():
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("500 Too Late", [], sys.exc_info())

    return Parts(name, [b"begun ", late])


@way
def system_exit(environ, start_response):
    sys.exit("ending the process")


@way
def keyboard_interrupt(environ, start_response):
    raise KeyboardInterrupt


@way
def generator_exit(environ, start_response):
    raise GeneratorExit


@way
def no_start_response(environ, start_response):
    return [b"no head"]


@way
def no_start_response_parts(environ, start_response):
    return iter([b"no head"])


@way
def twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"twice"]


@way
def none(environ, start_response):
    start_response("200 OK", PLAIN)


@way
def number(environ, start_response):
    start_response("200 OK", PLAIN)
    return 42


@way
def numbers(environ, start_response):
    start_response("200 OK", PLAIN)
    return [1, 2]


@way
def dictionary_items(environ, start_response):
    start_response("200 OK", PLAIN)
    return iter([{}])


HEADS = {
    "status-number": (200, PLAIN),
    "status-bytes": (b"200 OK", PLAIN),
    "status-none": (None, PLAIN),
    "status-word": ("OK", PLAIN),
    "status-short": ("20 OK", PLAIN),
    "status-interim": ("100 Continue", PLAIN),
    "status-switch": ("101 Switching Protocols", PLAIN),
    "status-line-break": ("200 OK\r\nX-Evil: yes", PLAIN),
    "fields-none": ("200 OK", None),
    "fields-dict": ("200 OK", {"X-A": "b"}),
    "field-list": ("200 OK", [["X-A", "b"]]),
    "field-triple": ("200 OK", [("X-A", "b", "c")]),
    "name-bytes": ("200 OK", [(b"X-A", "b")]),
    "name-empty": ("200 OK", [("", "b")]),
    "name-space": ("200 OK", [("X A", "b")]),
    "name-colon": ("200 OK", [("X-A:", "b")]),
    "name-line-break": ("200 OK", [("X-A\r\nX-Evil", "b")]),
    "value-bytes": ("200 OK", [("X-A", b"b")]),
    "value-number": ("200 OK", [("Content-Length", 5)]),
    "value-none": ("200 OK", [("X-A", None)]),
    "value-line-break": ("200 OK", [("X-A", "b\r\nX-Evil: yes")]),
    "value-line-feed": ("200 OK", [("X-A", "b\nX-Evil: yes")]),
    "value-nul": ("200 OK", [("X-A", "b\0")]),
    "value-beyond-latin-1": ("200 OK", [("X-A", "\u20ac")]),
    "length-negative": ("200 OK", [("Content-Length", "-5")]),
    "length-word": ("200 OK", [("Content-Length", "five")]),
    "length-twice": ("200 OK", [("Content-Length", "5"), ("content-length", "6")]),
    "transfer-encoding": ("200 OK", [("Transfer-Encoding", "chunked")]),
    "te": ("200 OK", [("TE", "trailers")]),
    "trailer": ("200 OK", [("Trailer", "X-A")]),
    "proxy-connection": ("200 OK", [("Proxy-Connection", "close")]),
    "proxy-authenticate": ("200 OK", [("Proxy-Authenticate", "Basic")]),
}


@way
def bad_head(environ, start_response, name):
    start_response(*HEADS[name])
    return [b"taken"]


@way
def length_too_short(environ, start_response, form):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return in_form(form, [b"hello", b" and", b" more"])


@way
def length_too_long(environ, start_response, form):
    start_response("200 OK", [*PLAIN, ("Content-Length", "50")])
    return in_form(form, [b"hello"])


def in_form(form, parts):
    return parts if form == "list" else iter(parts)


# Disconnects.


@way
def endless(environ, start_response, name):
    start_response("200 OK", PLAIN)
    return Parts(name, [lambda: b"x" * 65536] * 1_000_000)


@way
def waiting(environ, start_response, name):
    """Begins, then goes on when the client has had time to leave."""
    start_response("200 OK", PLAIN)

    def later():
        time.sleep(0.02)
        return b"x"

    return Parts(name, [b"begun "] + [later] * 500)


# Other kinds of handlers.


class Instance:
    def __call__(self, environ, start_response):
        start_response("200 OK", PLAIN)
        return [b"instance"]

    def method(self, environ, start_response):
        start_response("200 OK", PLAIN)
        return [b"method"]


class Class:
    """Each request makes an instance, which is the iterable."""

    def __init__(self, environ, start_response):
        self.path = environ["PATH_INFO"]
        start_response("200 OK", PLAIN)

    def __iter__(self):
        yield b"class " + self.path.encode()


instance = Instance()
method = instance.method


@way
def thread_name(environ, start_response):
    start_response("200 OK", PLAIN)
    return [threading.current_thread().name.encode()]
