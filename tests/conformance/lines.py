"""Lines: how they end, what they may contain, and the request line."""

from conformance.cases import Seen, get, refused, served

_X = ("x-a", "b")

LINE_ENDS = [
    refused("line feeds only", "RFC 9112 §2.2", b"GET /x HTTP/1.1\nHost: a\n\n"),
    refused("line feed ends the request line", "RFC 9112 §2.2", b"GET /x HTTP/1.1\nHost: a\r\n\r\n"),
    refused("line feed ends a field", "CVE-2019-16785", get(b"X-A: b\nX-C: d")),
    refused("line feed ends an empty value", "CVE-2022-32214", get(b"X-A:\nX-C: d")),
    refused("line feed ends the head", "CVE-2021-41136", b"GET /x HTTP/1.1\r\nHost: a\r\n\n"),
    refused("two line feeds end the head", "RFC 9112 §2.2", b"GET /x HTTP/1.1\r\nHost: a\n\n"),
    refused("line feed hides a coding", "CVE-2022-35256", get(b"X-A: b\nTransfer-Encoding: chunked")),
    refused("carriage return in a value", "RFC 9112 §2.2", get(b"X-A: b\rc")),
    refused("carriage return ends a field", "CVE-2023-30589", get(b"X-A: b\rX-C: d")),
    refused("carriage return ends an empty value", "CVE-2023-30589", get(b"X-A:\rX-C: d")),
    refused("carriage return twice", "RFC 9112 §2.2", get(b"X-A: b\r")),
    refused("carriage return ends the request line", "RFC 9112 §2.2", b"GET /x HTTP/1.1\rHost: a\r\n\r\n"),
    refused("carriage return and a letter end the head", "CVE-2025-23167", b"GET /x HTTP/1.1\r\nHost: a\r\n\rX" + get()),
    refused("carriage returns end the head", "CVE-2025-23167", b"GET /x HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"),
    refused("line feed and carriage return", "RFC 9112 §2.2", b"GET /x HTTP/1.1\n\rHost: a\n\r\n\r\r\n\r\n"),
    served("an empty line before the request line", "RFC 9112 §2.2", b"\r\n" + get()),
    served("empty lines before the request line", "RFC 9112 §2.2", b"\r\n\r\n\r\n" + get()),
    served("empty lines between requests", "RFC 9112 §2.2", get() + b"\r\n\r\n" + get(), Seen(), Seen()),
    served("512 empty lines", "RFC 9112 §2.2", b"\r\n" * 512 + get()),
    refused("513 empty lines", "RFC 9112 §2.2", b"\r\n" * 513 + get()),
    refused("nothing but empty lines", "RFC 9112 §2.2", b"\r\n" * 100_000),
    refused("line feed before the request line", "RFC 9112 §2.2", b"\n" + get()),
    refused("line feeds before the request line", "RFC 9112 §2.2", b"\n\n" + get()),
    refused("carriage return before the request line", "RFC 9112 §2.2", b"\r" + get()),
    refused("two carriage returns before the request line", "RFC 9112 §2.2", b"\r\r\n" + get()),
    refused("white space on the line before the request line", "RFC 9112 §2.2", b" \r\n" + get()),
]  # fmt: skip

FIELDS = [
    served("a field", "RFC 9112 §5", get(b"X-A: b"), Seen(fields=(_X,))),
    served("no space behind the colon", "RFC 9112 §5", get(b"X-A:b"), Seen(fields=(_X,))),
    served("white space around a value", "RFC 9112 §5", get(b"X-A: \t b\t "), Seen(fields=(_X,))),
    served("white space in a value", "RFC 9110 §5.5", get(b"X-A: b \t c"), Seen(fields=(("x-a", "b \t c"),))),
    served("an empty value", "RFC 9110 §5.5", get(b"X-A:"), Seen(fields=(("x-a", ""),))),
    served("a value of white space", "RFC 9110 §5.5", get(b"X-A: \t "), Seen(fields=(("x-a", ""),))),
    served("bytes beyond ASCII in a value", "RFC 9110 §5.5", get(b"X-A: \x80\xe4\xff"), Seen(fields=(("x-a", "\x80\xe4\xff"),))),
    served("0x85 and 0xa0 are no white space", "RFC 9110 §5.6.3", get(b"X-A: \x85\xa0b\xa0\x85"), Seen(fields=(("x-a", "\x85\xa0b\xa0\x85"),))),
    served("a value with colons", "RFC 9110 §5.5", get(b"X-A:: b:"), Seen(fields=(("x-a", ": b:"),))),
    served("all characters of a name", "RFC 9110 §5.6.2", get(b"!#$%&'*+-.^`|~09AZaz: b"), Seen(fields=(("!#$%&'*+-.^`|~09azaz", "b"),))),
    served("a repeated field", "RFC 9110 §5.2", get(b"X-A: b", b"x-a: c"), Seen(fields=(_X, ("x-a", "c")))),
    refused("space before a colon", "CVE-2021-22959", get(b"X-A : b")),
    refused("tab before a colon", "RFC 9112 §5.1", get(b"X-A\t: b")),
    refused("space before the colon of Host", "RFC 9112 §5.1", get(host=b"Host : a")),
    refused("space before the first field", "RFC 9112 §2.2", b"GET /x HTTP/1.1\r\n Host: a\r\n\r\n"),
    refused("tab before the first field", "RFC 9112 §2.2", b"GET /x HTTP/1.1\r\n\tHost: a\r\n\r\n"),
    refused("a line of white space first", "RFC 9112 §2.2", b"GET /x HTTP/1.1\r\n \r\nHost: a\r\n\r\n"),
    refused("folded value", "RFC 9112 §5.2", get(b"X-A: b", b" c")),
    refused("folded by a tab", "RFC 9112 §5.2", get(b"X-A: b", b"\tc")),
    refused("folded empty value", "RFC 9112 §5.2", get(b"X-A:", b" c")),
    refused("folded by an empty line", "RFC 9112 §5.2", get(b"X-A: b", b" ")),
    refused("folded Host", "RFC 9112 §5.2", get(host=b"Host:\r\n a")),
    refused("empty name", "CVE-2023-25725", get(b": b")),
    refused("a colon alone", "CVE-2023-25725", get(b":")),
    refused("name with a space", "CVE-2019-20444", get(b"X A: b")),
    refused("name with a bracket", "RFC 9110 §5.6.2", get(b"X(A): b")),
    refused("name in quotes", "RFC 9110 §5.6.2", get(b'"X-A": b')),
    refused("name beyond ASCII", "RFC 9110 §5.6.2", get(b"X-\xe4: b")),
    refused("name with a no-break space", "CVE-2024-23829", get(b"X-A\xa0: b")),
    refused("no colon", "CVE-2019-20444", get(b"X-A")),
    refused("no colon, but a space", "CVE-2019-20444", get(b"Content-Length 5")),
    *[
        refused(f"0x{byte:02x} in a value", "RFC 9110 §5.5", get(b"X-A: b" + bytes([byte]) + b"c"))
        for byte in [*range(9), 11, 12, *range(14, 32), 127]
    ],
    *[
        refused(f"0x{byte:02x} in a name", "RFC 9110 §5.6.2", get(b"X" + bytes([byte]) + b"A: b"))
        for byte in [0, 1, 9, 11, 12, 27, 32, 127, 128, 255]
    ],
    served("fields of one letter up to the limit", "RFC 9110 §5.4", get(*[b"A:"] * 511), Seen(fields=(("a", ""),) * 511)),
    refused("fields of one letter beyond the limit", "RFC 9110 §5.4", get(*[b"A:"] * 512)),
]  # fmt: skip

REQUEST_LINES = [
    *[
        served(f"the method {method}", source, get(first=method.encode() + b" /x HTTP/1.1"), Seen(method))
        for method, source in [
            *[(name, "RFC 9110 §9.3") for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE")],
            ("PATCH", "RFC 5789 §2"), ("PROPFIND", "RFC 4918 §9.1"), ("REPORT", "RFC 3253 §3.6"),
        ]
    ],
    refused("a method in lower case", "RFC 9110 §9.1", get(first=b"get /x HTTP/1.1"), 501),
    refused("a method in mixed case", "RFC 9110 §9.1", get(first=b"Get /x HTTP/1.1"), 501),
    refused("an unknown method", "RFC 9110 §9.1", get(first=b"BREW /x HTTP/1.1"), 501),
    refused("a longer method", "RFC 9110 §9.1", get(first=b"GETS /x HTTP/1.1"), 501),
    refused("a method cut short", "RFC 9110 §9.1", get(first=b"GE /x HTTP/1.1"), 501),
    refused("a method without an end", "RFC 9112 §3.1", b"G" * 100_000, 501),
    refused("a method with a bracket", "CVE-2024-23829", get(first=b"G(T /x HTTP/1.1")),
    refused("a method with NUL", "RFC 9112 §3.1", get(first=b"GET\0 /x HTTP/1.1")),
    refused("no method", "RFC 9112 §3", get(first=b"/x HTTP/1.1")),
    refused("an empty method", "RFC 9112 §3", get(first=b" /x HTTP/1.1")),
    refused("CONNECT", "RFC 9110 §9.3.6", get(first=b"CONNECT a:80 HTTP/1.1"), 501),
    refused("CONNECT with a path", "RFC 9112 §3.2.3", get(first=b"CONNECT /x HTTP/1.1"), 501),
    refused("CONNECT, then a request", "RFC 9110 §9.3.6", get(first=b"CONNECT a:80 HTTP/1.1") + get(), 501),
    refused("two spaces behind the method", "RFC 9112 §3", get(first=b"GET  /x HTTP/1.1")),
    refused("a tab behind the method", "RFC 9112 §3", get(first=b"GET\t/x HTTP/1.1")),
    refused("two spaces before the version", "RFC 9112 §3", get(first=b"GET /x  HTTP/1.1")),
    refused("a tab before the version", "RFC 9112 §3", get(first=b"GET /x\tHTTP/1.1")),
    refused("a space behind the version", "RFC 9112 §3", get(first=b"GET /x HTTP/1.1 ")),
    refused("a tab behind the version", "RFC 9112 §3", get(first=b"GET /x HTTP/1.1\t")),
    refused("a word behind the version", "RFC 9112 §3", get(first=b"GET /x HTTP/1.1 x")),
    refused("white space before the request line", "RFC 9112 §3", get(first=b" GET /x HTTP/1.1")),
    refused("a version in lower case", "RFC 9112 §2.3", get(first=b"GET /x http/1.1")),
    refused("no version", "CVE-2017-7656", b"GET /x\r\n\r\n"),
    refused("no version, and fields", "CVE-2017-7656", b"GET /x\r\nHost: a\r\n\r\n"),
    refused("no version, and a request", "CVE-2017-7656", b"GET /x\r\n" + get()),
    refused("a space and no version", "RFC 9112 §3", b"GET /x \r\nHost: a\r\n\r\n"),
    refused("a method and no more", "RFC 9112 §3", b"GET\r\n\r\n"),
    refused("no target", "RFC 9112 §3", get(first=b"GET HTTP/1.1")),
    refused("no target, but its spaces", "RFC 9112 §3", get(first=b"GET  HTTP/1.1")),
    *[
        refused(f"the version {version}", "RFC 9110 §2.5", get(first=b"GET /x HTTP/" + version.encode()), 505)
        for version in ("0.9", "1.2", "1.9", "2.0", "3.0", "9.9", "0.0")
    ],
    *[
        refused(f"the version {version!r}", "RFC 9112 §2.3", get(first=b"GET /x HTTP/" + version.encode()))
        for version in ("1", "1.", ".1", "11", "1.10", "1.11", "01.1", "1.01", "1,1", "-1.1", "1.-1", "1.x", "a.1", " 1.1", "1 .1", "1. 1", "1.1\0", "4294967297.1", "")
    ],
    *[
        refused(f"the protocol {protocol}", "RFC 9112 §2.3", get(first=b"GET /x " + protocol.encode()))
        for protocol in ("RTSP/1.0", "ICE/1.0", "HTTPS/1.1", "HTP/1.1", "1.1", "HTTP 1.1", "HTTP", "/1.1")
    ],
    refused("a request of RTSP", "RFC 9112 §2.3", get(first=b"DESCRIBE /x RTSP/1.0"), 501),
    refused("a request of ICE", "RFC 9112 §2.3", get(first=b"SOURCE /x ICE/1.0")),
    refused("the preface of HTTP/2", "RFC 9113 §3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("no request line", "RFC 9112 §3", b"Host: a\r\n\r\n"),
    refused("rubbish", "RFC 9112 §3", b"\x00\x01\x02\xff\xfe\r\n\r\n"),
    refused("a TLS handshake", "RFC 9112 §3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)),
    refused("the PROXY protocol", "RFC 9112 §3", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n" + get()),
    refused("a response", "RFC 9112 §2.1", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
]  # fmt: skip
