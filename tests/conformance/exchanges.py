"""Several requests on a connection: when it persists, expectations, upgrades, what stands behind."""

from conformance.cases import SMUGGLED, Case, Seen, get, post, posted, refused, served

_OLD = b"GET /x HTTP/1.0"
_THEN = Seen(target="/x")


def _stays(name: str, source: str, head: bytes, *fields: tuple[str, str]) -> Case:
    return served(name, source, head + get(), Seen(fields=fields), _THEN)


def _ends(name: str, source: str, head: bytes, *fields: tuple[str, str]) -> Case:
    return served(name, source, head + get(), Seen(fields=fields), closes=True)


PERSISTENCE = [
    _stays("HTTP/1.1", "RFC 9112 §9.3", get()),
    _stays("keep-alive", "RFC 9112 §9.3", get(b"Connection: keep-alive")),
    _ends("HTTP/1.0", "RFC 9112 §9.3", get(first=_OLD)),
    _stays("keep-alive in HTTP/1.0", "RFC 9112 §9.3", get(b"Connection: Keep-Alive", first=_OLD)),
    _stays("keep-alive among others in HTTP/1.0", "RFC 9112 §9.3", get(b"Connection: x-a , keep-alive,x-b", first=_OLD)),
    *[
        _ends(f"the option close in {' and '.join(map(repr, values))}", "RFC 9112 §9.3",
              get(*[b"Connection:" + value for value in values]))
        for values in [
            (b" close",), (b"CLOSE",), (b"\tclose\t",), (b" keep-alive, close",), (b" close, keep-alive",), (b" x-a,close",), (b" close ,x-a",),
            (b" ,close,",), (b" keep-alive", b" close"), (b" close", b" keep-alive"), (b"", b"close"),
        ]
    ],
    *[
        _ends(f"close and keep-alive in HTTP/1.0: {' and '.join(map(repr, values))}", "RFC 9112 §9.3",
              get(*[b"Connection: " + value for value in values], first=_OLD))
        for values in [(b"close",), (b"close, keep-alive",), (b"keep-alive, Close",), (b"keep-alive", b"close"), (b"close", b"keep-alive"), (b"x-a,\tclose , keep-alive",)]
    ],
    *[
        _stays(f"no option close in {value!r}", "RFC 9110 §7.6.1", get(b"Connection: " + value))
        for value in (b"closed", b"x-close", b"close-x", b"", b"keep-alive, x-a", b"x=close", b'"close"')
    ],
    _ends("Proxy-Connection keeps nothing in HTTP/1.0", "RFC 9112 §9.3", get(b"Proxy-Connection: keep-alive", first=_OLD), ("proxy-connection", "keep-alive")),
    _ends("no option keep-alive in HTTP/1.0", "RFC 9112 §9.3", get(b"Connection: keep-alives, x-keep-alive", first=_OLD)),
    _stays("Keep-Alive says nothing", "RFC 9112 §9.3", get(b"Keep-Alive: max=1"), ("keep-alive", "max=1")),
    served("a length named by Connection still counts", "RFC 9110 §7.6.1", post(b"Connection: Content-Length, Host", b"Content-Length: 5", body=b"hello" + get()),
           posted(b"hello"), _THEN),
    served("bytes behind the last request", "RFC 9112 §9.6", get(b"Connection: close") + b"rubbish\r\n\r\n", closes=True),
    served("a body and bytes behind the last request", "RFC 9112 §9.6", post(b"Connection: close", b"Content-Length: 2", body=b"ok" + SMUGGLED),
           posted(b"ok"), closes=True),
    served("a body in HTTP/1.0", "RFC 9112 §6.3", get(b"Content-Length: 2", first=b"POST /x HTTP/1.0") + b"ok" + SMUGGLED, posted(b"ok"), closes=True),
    served("no length in HTTP/1.0", "RFC 9112 §6.3", get(first=b"POST /x HTTP/1.0") + b"ok", posted(), closes=True),
    served("no length in HTTP/1.0 that stays", "RFC 9112 §6.3", get(b"Connection: keep-alive", first=b"POST /x HTTP/1.0") + get(), posted(), _THEN),
]  # fmt: skip

PIPELINES = [
    served("three requests", "RFC 9112 §9.3.2", get() + post(b"Content-Length: 2", body=b"ok") + get(), Seen(), posted(b"ok"), Seen()),
    served("a hundred requests", "CVE-2024-41671", get() * 100, *[Seen()] * 100),
    served("an error behind a request", "CVE-2020-11077", get() + b"rubbish\r\n\r\n" + SMUGGLED, Seen(), status=400),
    served("an error behind a body", "CVE-2024-49768", post(b"Content-Length: 2", body=b"ok") + get(host=b"") + SMUGGLED, posted(b"ok"), status=400),
    served("an error behind chunks", "CVE-2024-49768", post(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\nx\r\n" + SMUGGLED), posted(b"ok"), status=400),
    served("an error in a body behind a request", "CVE-2024-49768", get() + post(b"Transfer-Encoding: chunked", body=b"x\r\n" + SMUGGLED), Seen(), status=400),
    served("the same head with another body", "RFC 9112 §9.3", post(b"Content-Length: 2", body=b"ok") + post(b"Content-Length: 2", body=b"no"), posted(b"ok"), posted(b"no")),
    served("a body that is a request, twice", "RFC 9112 §6.3", post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED) * 2, posted(SMUGGLED), posted(SMUGGLED)),
]  # fmt: skip

_H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA")
_SEEN_H2C = (("upgrade", "h2c"), ("http2-settings", "AA"))

UPGRADES = [
    served("an upgrade is not taken up", "RFC 9110 §7.8", get(*_H2C) + get(), Seen(fields=_SEEN_H2C), Seen()),
    served("an upgrade to WebSocket", "RFC 9110 §7.8", get(b"Connection: upgrade", b"Upgrade: websocket") + get(), Seen(fields=(("upgrade", "websocket"),)), Seen()),
    served("an upgrade with a body", "RFC 9110 §7.8", post(*_H2C, b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED + get()), posted(SMUGGLED, *_SEEN_H2C), Seen()),
    served("an upgrade with chunks", "RFC 9110 §7.8", post(*_H2C, b"Transfer-Encoding: chunked", body=b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n" + get()),
           posted(SMUGGLED, *_SEEN_H2C), Seen()),
    served("an upgrade, then another protocol", "RFC 9110 §7.8", get(*_H2C) + b"\x00\x01rubbish\r\n\r\n", Seen(fields=_SEEN_H2C), status=400),
    served("an upgrade, then the preface of HTTP/2", "RFC 9113 §3.3", get(*_H2C) + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Seen(fields=_SEEN_H2C), status=505),
    served("an upgrade without its option", "RFC 9110 §7.8", get(b"Upgrade: h2c") + get(), Seen(fields=(("upgrade", "h2c"),)), Seen()),
    served("an upgrade in HTTP/1.0", "RFC 9110 §7.8", get(*_H2C, first=_OLD) + get(), Seen(fields=_SEEN_H2C), closes=True),
    served("an upgrade that closes", "RFC 9110 §7.8", get(b"Connection: Upgrade, close", b"Upgrade: h2c") + get(), Seen(fields=(("upgrade", "h2c"),)), closes=True),
    refused("an upgrade with length and coding", "RFC 9112 §6.1", post(*_H2C, b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n")),
]  # fmt: skip

EXPECTATIONS = [
    served("an expectation with its body", "RFC 9110 §10.1.1", post(b"Expect: 100-continue", b"Content-Length: 2", body=b"ok" + get()), posted(b"ok"), Seen()),
    served("an expectation in any case", "RFC 9110 §10.1.1", post(b"Expect: 100-CONTINUE", b"Content-Length: 2", body=b"ok"), posted(b"ok")),
    served("an expectation with chunks", "RFC 9110 §10.1.1", post(b"Expect: 100-continue", b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"), posted(b"ok")),
    served("an expectation without a body", "RFC 9110 §10.1.1", get(b"Expect: 100-continue") + get(), Seen(), Seen()),
    served("the expectation of a GET", "RFC 9110 §10.1.1", get(b"Expect: 100-continue", b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, Seen(body=SMUGGLED)),
    served("an expectation in HTTP/1.0", "RFC 9110 §10.1.1", get(b"Expect: 100-continue", b"Content-Length: 2", first=b"POST /x HTTP/1.0") + b"ok", posted(b"ok"), closes=True),
    *[
        refused(f"the expectation {value!r}", "RFC 9110 §10.1.1", post(b"Expect: " + value, b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED), 417)
        for value in (b"", b"x", b"200-ok", b"y 100-continue", b"100-continue y", b"100-continue, x", b"x, 100-continue", b"100-continue;x=y", b"100 continue", b'"100-continue"',
                      b"\xa0100-continue", b"100-continue,", b"100-continued")
    ],
    refused("an expectation beside one that is served", "RFC 9110 §10.1.1", post(b"Expect: 100-continue", b"Expect: x", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED), 417),
    refused("a folded expectation", "RFC 9112 §5.2", post(b"Expect:", b" 100-continue", b"Content-Length: 2", body=b"ok")),
    refused("an expectation with a carriage return", "RFC 9110 §5.5", post(b"Expect: 100-continue\r", b"Content-Length: 2", body=b"ok")),
    refused("an expectation of a body beyond the limit", "RFC 9110 §15.5.14", post(b"Expect: 100-continue", b"Content-Length: 33554433")),
]  # fmt: skip

OTHERS = [
    refused("two types", "RFC 9110 §8.3", post(b"Content-Type: a/b", b"Content-Type: c/d", b"Content-Length: 2", body=b"ok")),
    served("names with underscores are dropped", "CVE-2024-45614", get(b"X_Forwarded_For: 192.0.2.1", b"X-A: b", b"Content_Type: a/b", b"Host_: c"), Seen(fields=(("x-a", "b"),))),
    refused("a field beyond the limit", "RFC 9110 §5.4", get(b"X-A: " + b"b" * 8300)),
    refused("a field without an end", "RFC 9110 §5.4", get()[:-2] + b"X-A: " + b"b" * 100_000),
    refused("white space without an end", "RFC 9110 §5.4", get()[:-2] + b"X-A:" + b" " * 100_000),
    refused("a name without an end", "CVE-2021-40346", get()[:-2] + b"N" * 100_000),
    refused("many fields", "RFC 9110 §5.4", get(*[b"X-A: b"] * 10_000)),
    refused("a body beyond the limit", "RFC 9110 §15.5.14", post(b"Content-Length: 33554433", body=SMUGGLED)),
    refused("a chunk beyond the limit", "RFC 9110 §15.5.14", post(b"Transfer-Encoding: chunked", body=b"2000001\r\n" + SMUGGLED)),
]  # fmt: skip

EXCHANGES = [*PERSISTENCE, *PIPELINES, *UPGRADES, *EXPECTATIONS, *OTHERS]
