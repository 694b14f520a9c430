"""Statuses and headers that no response may have, and `start_response` called in wrong ways."""

import sys

from misbehaving import PLAIN


def saying(status, headers=()):
    def application(environ, start_response):
        start_response(status, headers if isinstance(headers, int) else [*headers])
        return [b"an answer"]

    return application


class Text(str):
    """Says another thing each time that it is formatted."""

    __slots__ = ()

    def __format__(self, _):
        return "split\r\nX-Injected: yes"

    __str__ = __repr__ = lambda self: "split\r\nX-Injected: yes"


CR, LF, NUL = "a\rb", "a\nb", "a\0b"

cr_in_name, lf_in_name, nul_in_name = (saying("200 OK", [(name, "x")]) for name in (CR, LF, NUL))
cr_in_value, lf_in_value, nul_in_value = (
    saying("200 OK", [("X-Value", value)]) for value in (CR, LF, NUL)
)
crlf_in_value = saying("200 OK", [("X-Value", "a\r\nSet-Cookie: b=c")])
crlf_at_the_end = saying("200 OK", [("X-Value", "a\r\n")])
crlf_in_known_header = saying("200 OK", [("Content-Type", "text/plain\r\nX-Injected: yes")])
cr_in_reason, lf_in_reason, nul_in_reason = (saying(f"200 {reason}") for reason in (CR, LF, NUL))
crlf_in_status = saying("200 OK\r\nX-Injected: yes")
space_in_name = saying("200 OK", [("X Name", "x")])
colon_in_name = saying("200 OK", [("X-Name:", "x")])
empty_name = saying("200 OK", [("", "x")])
wide_value = saying("200 OK", [("X-Value", "\N{SNOWMAN}")])
surrogate_in_value = saying("200 OK", [("X-Value", "\udcff")])
wide_reason = saying("200 \N{SNOWMAN}")
bytes_name = saying("200 OK", [(b"X-Name", "x")])
bytes_value = saying("200 OK", [("X-Value", b"x")])
none_value = saying("200 OK", [("X-Value", None)])
number_value = saying("200 OK", [("X-Value", 17)])
lists_for_tuples = saying("200 OK", [["X-Value", "x"]])
triple = saying("200 OK", [("X-Value", "x", "y")])
no_list = saying("200 OK", 17)
text_that_lies = saying("200 OK", [("X-Value", Text("harmless"))])
name_that_lies = saying("200 OK", [(Text("X-Name"), "harmless")])
transfer_encoding = saying("200 OK", [("Transfer-Encoding", "chunked")])
trailer = saying("200 OK", [("Trailer", "X-Late")])
te = saying("200 OK", [("TE", "trailers")])
proxy_authenticate = saying("200 OK", [("Proxy-Authenticate", "Basic")])
many = saying("200 OK", [(f"X-Number-{number}", "x") for number in range(20_000)])
large = saying("200 OK", [("X-Large", "x" * 8192)])
two_lengths = saying("200 OK", [("Content-Length", "9"), ("Content-Length", "10")])
negative_length = saying("200 OK", [("Content-Length", "-1")])
length_in_words = saying("200 OK", [("Content-Length", "nine")])
length_of_many_digits = saying("200 OK", [("Content-Length", "9" * 5000)])

status_in_letters = saying("abc")
status_of_two_digits = saying("99 x")
status_of_four_digits = saying("1000 x")
status_continue = saying("100 Continue")
status_switching = saying("101 Switching Protocols")
status_empty = saying("")
status_of_bytes = saying(b"200 OK")
status_of_number = saying(200)
status_none = saying(None)
status_without_reason = saying("200")
status_of_other_digits = saying("\N{ARABIC-INDIC DIGIT TWO}00 OK")


def twice(environ, start_response):
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)
    return [b"an answer"]


def twice_behind_the_first_item(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    start_response("500 Oh", PLAIN)
    yield b"again"


def with_exc_info_behind_the_first_item(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    try:
        raise ValueError("too late for another head")
    except ValueError:
        start_response("500 Oh", PLAIN, sys.exc_info())
    yield b"again"


def with_nonsense_for_exc_info(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    start_response("500 Oh", PLAIN, (None, None, None))


def never(environ, start_response):
    return [b"an answer"]


def behind_the_first_item(environ, start_response):
    yield b"early"
    start_response("200 OK", PLAIN)
