"""Requests that are measured, as the bytes of their segments."""

SMALL = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:9000\r\n\r\n"

BROWSER = (
    b"GET /catalogue/shoes?page=2&sort=price HTTP/1.1\r\n"
    b"Host: www.example.com\r\n"
    b"Connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"\r\n'
    b"sec-ch-ua-mobile: ?0\r\n"
    b'sec-ch-ua-platform: "Linux"\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/142.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Referer: https://www.example.com/catalogue\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-GB,en;q=0.9,zh-CN;q=0.8\r\n"
    b"Cookie: session=3f2a9c0e7b1d4c5a; theme=dark\r\n"
    b"\r\n"
)
"""What Chrome sends when a link is followed: fifteen fields."""

LARGE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nCookie: "
    + b"; ".join([b"name%02d=%s" % (number, b"v" * 190) for number in range(40)])
    + b"\r\n\r\n"
)
"""A head of about 8 KB, near Function Compute's limit."""

JSON = (
    b"POST /orders HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nContent-Type: application/json\r\n"
    b"Accept: application/json\r\nContent-Length: 1024\r\n\r\n" + b'{"k":"' + b"v" * 1016 + b'"}'
)


def varied(request: bytes) -> tuple[bytes, ...]:
    """The same request to a thousand targets: what remembers the last one gains nothing."""
    return tuple(
        [request.replace(b" HTTP/1.1", b"?n=%04d HTTP/1.1" % number, 1) for number in range(1000)]
    )


_CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunks(count: int, size: int) -> bytes:
    """A chunked body of `count` chunks of `size` bytes."""
    return (b"%x\r\n%s\r\n" % (size, b"c" * size)) * count + b"0\r\n\r\n"


CHUNKED = (_CHUNKED_HEAD, chunks(8, 512))
"""Head and body in a segment each, as clients send them."""
