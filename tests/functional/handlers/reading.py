"""Reads its body in the way that the path names."""

import hashlib
import json


def handler(environ, start_response):
    way, _, argument = environ["PATH_INFO"].strip("/").partition("/")
    stream = environ["wsgi.input"]
    found = {"length_told": environ.get("CONTENT_LENGTH"), **WAYS[way](stream, argument)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(found).encode()]


def read_all(stream, _):
    return describe(stream.read())


def read_blocks(stream, size):
    return describe(b"".join(iter(lambda: stream.read(int(size)), b"")))


def read_away(stream, _):
    return {"length": sum(len(block) for block in iter(lambda: stream.read(50_000), b""))}


def read_line_by_line(stream, _):
    lines = list(iter(stream.readline, b""))
    return {"lines": len(lines), **describe(b"".join(lines))}


def iterate(stream, _):
    lines = list(stream)
    return {"lines": len(lines), **describe(b"".join(lines))}


def read_bounded_lines(stream, size):
    return describe(b"".join(iter(lambda: stream.readline(int(size)), b"")))


def read_some(stream, size):
    return describe(stream.read(int(size)))


def read_nothing(stream, _):
    return describe(b"")


def read_again(stream, _):
    first = describe(stream.read())
    stream.seek(0)
    return {"again": describe(stream.read()) == first, **first}


def describe(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


WAYS = {
    "all": read_all,
    "away": read_away,
    "blocks": read_blocks,
    "lines": read_line_by_line,
    "iterate": iterate,
    "bounded-lines": read_bounded_lines,
    "some": read_some,
    "nothing": read_nothing,
    "again": read_again,
}
