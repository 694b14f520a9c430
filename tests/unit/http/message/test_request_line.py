"""The beginning of a head, byte by byte."""

import pytest

from gateway.errors import MalformedRequest, VersionNotSupported
from gateway.http.message.request_line import (
    MAX_EMPTY_LINES,
    check_beginning,
    is_http_1_0,
    method_of,
    path_size,
    skip_empty_lines,
    unknown_method,
)

LINE = b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize("size", range(len(LINE) + 1))
def test_each_beginning_of_a_request_line_is_one(size):
    check_beginning(LINE[:size])
    check_beginning(b"\r\n" + LINE[:size])


@pytest.mark.parametrize(
    ("raw", "spoken"),
    [
        (b"\x16\x03\x01", "TLS"),
        (b"\x05\x01", "SOCKS"),
        (b"\x04\x01", "SOCKS"),
        (b"\r\n\r\n\x00\r\nQUIT\n", "the PROXY protocol"),
        (b"PROXY TCP4", "the PROXY protocol"),
        (b"SSH-2.0-x", "SSH"),
    ],
)
def test_other_protocols_are_named(raw, spoken):
    with pytest.raises(MalformedRequest) as caught:
        check_beginning(raw)
    assert str(caught.value) == f"this port speaks HTTP; the client speaks {spoken}"
    assert caught.value.spoken == spoken


@pytest.mark.parametrize("raw", [b"SSH", b"SSH ", b"PROXY", b"PROXYING "])
def test_words_that_are_like_them_are_methods(raw):
    check_beginning(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b" GET", "the request line does not begin with a method"),
        (b"\xff", "the request line does not begin with a method"),
        (b"GE(T", "the method of the request line is not a token"),
        (b"GET\t/", "the method of the request line is not a token"),
        (b"GET\r\n", "the method of the request line is not a token"),
    ],
)
def test_what_is_no_method(raw, message):
    with pytest.raises(MalformedRequest) as caught:
        check_beginning(raw)
    assert str(caught.value) == message


def test_the_preface_of_http_2():
    check_beginning(b"PRI")
    with pytest.raises(VersionNotSupported) as caught:
        check_beginning(b"PRI * HTTP/2.0\r\n")
    assert str(caught.value) == "the only supported HTTP versions are 1.0 and 1.1"


@pytest.mark.parametrize(
    ("raw", "method"),
    [
        (b"", None),
        (b"GET", None),
        (b"GET ", b"GET"),
        (b"\r\nGET / HTTP/1.1\r\n", b"GET"),
        (b"A" * 63, None),
        (b"A" * 64, None),
        (b"A" * 65, b"A" * 65),
        (b"A" * 64 + b" /", b"A" * 64),
        (b"A" * 90 + b" /", b"A" * 65),
    ],
)
def test_the_method_as_far_as_it_has_come(raw, method):
    assert method_of(raw) == method


def test_a_method_that_is_not_known():
    told = "the method is not supported; methods are upper-case"
    assert str(unknown_method()) == told


@pytest.mark.parametrize(("line", "expected"), [(b"1.0", True), (b"1.1", False)])
@pytest.mark.parametrize("before", [b"", b"\r\n"])
def test_versions(before, line, expected):
    assert is_http_1_0(before + b"GET / HTTP/" + line + b"\r\n", 5) is expected


@pytest.mark.parametrize("version", [b"1.2", b"2.0", b"0.9", b"1.10", b"1.1 ", b"1.1\n"])
def test_other_versions(version):
    with pytest.raises(VersionNotSupported):
        is_http_1_0(b"GET / HTTP/" + version + b"\r\n", 5)


@pytest.mark.parametrize("line", [b"GET /  HTTP/1.1\r\n", b"GET / RTSP/1.0\r\n", b"GET /\r\n"])
def test_lines_of_another_form(line):
    with pytest.raises(MalformedRequest) as caught:
        is_http_1_0(line, 5)
    assert str(caught.value) == "the request line is not: method SP target SP HTTP/1.1"


@pytest.mark.parametrize(
    ("count", "is_refused"),
    [(MAX_EMPTY_LINES - 2, False), (MAX_EMPTY_LINES, False), (MAX_EMPTY_LINES + 2, True)],
)
def test_the_bound_of_empty_lines(count, is_refused):
    raw = b"\r\n" * (count // 2) + LINE
    if not is_refused:
        assert skip_empty_lines(raw) == LINE
        return
    with pytest.raises(MalformedRequest) as caught:
        skip_empty_lines(raw)
    assert str(caught.value) == "too many empty lines before the request line"


@pytest.mark.parametrize("before", [b"\n", b"\r", b"\n\r", b"\r\n\n", b"\r\n\r"])
def test_other_line_ends(before):
    with pytest.raises(MalformedRequest) as caught:
        skip_empty_lines(before + LINE)
    told = "an empty line before the request line does not end with CR LF"
    assert str(caught.value) == told
    assert skip_empty_lines(before) == b"", "the rest may be on its way"


@pytest.mark.parametrize(
    ("target", "size"),
    [
        (b"/", 1),
        (b"/a?b", 4),
        (b"http://a", 1),
        (b"HTTP://a/", 1),
        (b"https://a/bc", 3),
        (b"HttpS://a?b=/", 5),
        (b"http://a/b?c/d", 6),
        (b"https://a?", 2),
        (b"/x://y/", 7),
        (b"ftp://a/b", 9),
        (b"http:/a", 7),
        (b"http:///", 1),
        (b"https:///", 1),
        (b"http://?", 2),
        (b"https:///a", 2),
        (b"http://a?b?c", 5),
    ],
)
def test_the_size_of_path_and_query(target, size):
    assert path_size(target) == size


@pytest.mark.parametrize(("size", "is_refused"), [(63, True), (64, True), (65, False)])
def test_how_much_of_a_method_is_looked_at(size, is_refused):
    raw = b"A" * size + b"("
    if not is_refused:
        check_beginning(raw)
        return
    with pytest.raises(MalformedRequest):
        check_beginning(raw)


def test_a_method_may_begin_with_any_letter():
    assert skip_empty_lines(b"\r\nX / HTTP/1.1\r\n") == b"X / HTTP/1.1\r\n"
