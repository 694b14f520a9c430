"""Content-Length is not the length of the content."""

from misbehaving import PLAIN

EXCESS = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Smuggled: yes\r\n\r\nevil"


def long_list(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    return [b"whole" + EXCESS]


def long_stream(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    yield b"who"
    yield b"le" + EXCESS
    yield EXCESS


def long_write(environ, start_response):
    write = start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    write(b"whole" + EXCESS)
    write(EXCESS)
    return [EXCESS]


def exact_then_more(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "5")])
    yield b"whole"
    yield EXCESS


def nothing_is_announced(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "0")])
    yield EXCESS
    yield EXCESS


def no_content(environ, start_response):
    start_response("204 No Content", [])
    yield EXCESS
    yield EXCESS


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("Content-Length", "500")])
    return [EXCESS]


def short_list(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "500")])
    return [b"short"]


def short_stream(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "500")])
    yield b"sh"
    yield b"ort"


def short_write(environ, start_response):
    start_response("200 OK", [*PLAIN, ("Content-Length", "500")])(b"short")
    return []
