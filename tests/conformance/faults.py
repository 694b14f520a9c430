"""Requests, and what can be wrong about them: small faults everywhere, and larger parts to put in."""

from collections.abc import Iterator

from conformance.cases import SMUGGLED, get, post

NEXT = get(first=b"GET /next HTTP/1.1")

TEMPLATES = {
    "plain": get(b"X-A: b", first=b"GET /x?y HTTP/1.1"),
    "two empty lines first": b"\r\n\r\n" + get(),
    "absolute": get(first=b"GET http://b:8/x HTTP/1.1"),
    "old": get(b"Connection: keep-alive, x", first=b"GET /x HTTP/1.0"),
    "length": post(b"Content-Length: 5", body=b"he\r\nl"),
    "length 10": post(b"X-A: b", b"Content-Length: 10", body=b"0\r\n\r\nabcde"),
    "coding": post(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "chunks": post(
        b"Transfer-Encoding: chunked", body=b'3;a="b";c=d\r\n1\r\n\r\n00\r\nX-A: b\r\n\r\n'
    ),
    "both": post(
        b"Transfer-Encoding: chunked", b"Content-Length: 15", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "both, turned": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 2", b"Content-Length: 2", body=b"ok"),
}

BYTES = b'\0\t\n\x0b\r !"#%,-0159:;=ACX_ax\x7f\x80\xa0\xff'


def faults(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each way to put a byte in, to change one, to take one out, or to say a line twice."""
    for place in range(len(data) + 1):
        before, behind = data[:place], data[place:]
        for byte in BYTES:
            yield place, before + bytes([byte]) + behind
            if behind[:1] != bytes([byte]):
                yield place, before + bytes([byte]) + behind[1:]
        yield place, before + behind[1:]
        yield place, before + b"\r\n" + behind
        if before[-1:] == b"\n":
            yield place, before + data[data.rfind(b"\n", 0, place - 1) + 1 : place] + behind


PARTS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\0", b"\x0b", b":", b";", b",", b"=", b'"', b"/", b"//", b"?", b"@",
    b"_", b"-", b"+", b"0x", b"0", b"1", b"5", b"a", b"G", b"\x85", b"\xa0", b"\xff", b"0\r\n\r\n", b"5\r\nhello\r\n", b"1\r\nx\r\n",
    b"18446744073709551616", b"000000", b";a=b", b';a="b"', b"chunked", b", chunked", b"identity", b"gzip, ", b"HTTP/1.0", b"HTTP/1.1",
    b"HTTP/0.9", b"http://b", b"GET ", b"POST ", b"HEAD ", b"Host: a\r\n", b"Host: b\r\n", b"Host:\r\n", b"X-A: b\r\n", b" folded\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 28\r\n", b"Content_Length: 7\r\n", b"content-length:005 \r\n",
    b"Transfer-Encoding: chunked\r\n", b"transfer-encoding:\tChunked\r\n", b"Transfer-Encoding: identity\r\n", b"Transfer_Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", b"Proxy-Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n", b"Expect: x\r\n", b"Content-Type: a/b\r\n", SMUGGLED, NEXT,
]  # fmt: skip
