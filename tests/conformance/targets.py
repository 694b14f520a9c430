"""Request targets, and whom a request is for."""

from conformance.cases import Case, Seen, get, refused, served


def _target(name: str, source: str, target: bytes, seen: str, host: str = "a") -> Case:
    first = b"GET " + target + b" HTTP/1.1"
    return served(name, source, get(first=first), Seen(target=seen, host=host))


def _no_target(name: str, source: str, target: bytes, method: bytes = b"GET") -> Case:
    return refused(name, source, get(first=method + b" " + target + b" HTTP/1.1"))


def _host(name: str, source: str, value: bytes, seen: str) -> Case:
    return served(name, source, get(host=b"Host:" + value), Seen(host=seen))


def _no_host(name: str, source: str, *lines: bytes) -> Case:
    return refused(name, source, get(*lines, host=b""))


TARGETS = [
    _target("a query", "RFC 9112 §3.2.1", b"/x?y=z", "/x?y=z"),
    _target("an empty query", "RFC 9112 §3.2.1", b"/x?", "/x?"),
    _target("a question mark in a query", "RFC 3986 §3.4", b"/x??/?", "/x??/?"),
    _target("empty segments", "RFC 3986 §3.3", b"//x//y", "//x//y"),
    _target("dot segments", "RFC 3986 §3.3", b"/y/../x/.", "/y/../x/."),
    _target("percent-encoding", "RFC 3986 §2.1", b"/%78%2F%00%0d%0a", "/%78%2F%00%0d%0a"),
    _target("an incomplete percent-encoding", "RFC 3986 §2.1", b"/x%", "/x%"),
    _target(
        "all characters of a path", "RFC 3986 §3.3", b"/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"
    ),
    _target("a backslash in a query", "RFC 3986 §3.4", b"/x?\\y\\", "/x?\\y\\"),
    _target("a backslash, percent-encoded", "RFC 3986 §2.1", b"/x%5Cy", "/x%5Cy"),
    _target("absolute form", "RFC 9112 §3.2.2", b"http://b/x", "/x", "b"),
    _target("absolute form for the same host", "RFC 9112 §3.2.2", b"http://a/x", "/x"),
    _target(
        "absolute form of another case", "RFC 3986 §3.1", b"HTTP://B:8080/x?y", "/x?y", "B:8080"
    ),
    _target("absolute form without a path", "RFC 9112 §3.2.1", b"http://b", "/", "b"),
    _target("absolute form with a query alone", "RFC 9112 §3.2.1", b"http://b?y", "/?y", "b"),
    _target("absolute form by TLS", "RFC 9112 §3.2.2", b"https://b/x", "/x", "b"),
    _target("absolute form, IPv6", "RFC 3986 §3.2.2", b"http://[::1]:80/x", "/x", "[::1]:80"),
    served(
        "OPTIONS *",
        "RFC 9112 §3.2.4",
        get(first=b"OPTIONS * HTTP/1.1"),
        Seen("OPTIONS", target="*"),
    ),
    _no_target("the target * of GET", "RFC 9112 §3.2.4", b"*"),
    _no_target("the target * of POST", "RFC 9112 §3.2.4", b"*", b"POST"),
    _no_target("more than *", "RFC 9112 §3.2.4", b"*x", b"OPTIONS"),
    _no_target("a relative target", "RFC 9112 §3.2", b"x"),
    _no_target("a target of dots", "RFC 9112 §3.2", b"../x"),
    _no_target("a query as target", "RFC 9112 §3.2", b"?x"),
    _no_target("an authority as target of GET", "RFC 9112 §3.2.3", b"a:80"),
    _no_target("a fragment", "CVE-2023-45539", b"/x#y"),
    _no_target("a fragment in a query", "CVE-2023-45539", b"/x?y#z"),
    _no_target("a fragment in absolute form", "CVE-2023-45539", b"http://a/#x"),
    _no_target("a fragment behind an authority", "CVE-2023-45539", b"http://a#x"),
    _no_target("a space in the target", "RFC 9112 §3.2", b"/x y"),
    _no_target("a line feed in the target", "RFC 9112 §3.2", b"/x\ny"),
    _no_target("a carriage return in the target", "RFC 9112 §3.2", b"/x\ry"),
    _no_target("NUL in the target", "RFC 3986 §2", b"/x\0"),
    _no_target("a control character in the target", "RFC 3986 §2", b"/x\x01"),
    _no_target("DEL in the target", "RFC 3986 §2", b"/x\x7f"),
    _no_target("UTF-8 in the target", "RFC 3986 §2", b"/\xc3\xa4"),
    _no_target("a byte beyond ASCII in the query", "RFC 3986 §2", b"/x?\xff"),
    _no_target("a backslash in the path", "RFC 3986 §3.3", b"/x\\y"),
    _no_target("backslashes for slashes", "CVE-2007-0450", b"/y/..\\..\\x"),
    _no_target("a backslash behind the first slash", "RFC 3986 §3.3", b"/\\b/x"),
    _no_target("a backslash before a query", "RFC 3986 §3.3", b"/x\\?y"),
    _no_target("a backslash in a path of absolute form", "RFC 3986 §3.3", b"http://a/x\\y"),
    _no_target("a backslash as target", "RFC 9112 §3.2", b"\\x"),
    _no_target("absolute form without a host", "RFC 9110 §4.2.1", b"http:///x"),
    _no_target("absolute form with a port alone", "RFC 9110 §4.2.1", b"http://:80/x"),
    _no_target("absolute form with a user", "RFC 9110 §4.2.4", b"http://me@a/x"),
    _no_target("absolute form with a password", "RFC 9110 §4.2.4", b"http://me:pw@a/x"),
    _no_target("absolute form with two ports", "RFC 3986 §3.2", b"http://a:80:80/x"),
    _no_target("absolute form with a backslash", "RFC 3986 §3.2", b"http://a\\@b/x"),
    _no_target("absolute form of another scheme", "RFC 9112 §3.2.2", b"ftp://a/x"),
    _no_target("absolute form of no server", "RFC 9112 §3.2.2", b"javascript:x"),
    _no_target("absolute form with one slash", "RFC 9112 §3.2.2", b"http:/a/x"),
    _no_target("a target beyond the limit", "RFC 9112 §3", b"/" + b"x" * 4096),
    refused("a target without an end", "RFC 9112 §3", b"GET /" + b"x" * 100_000),
]

HOSTS = [
    _host("a name", "RFC 9112 §3.2", b" example.com", "example.com"),
    _host("a name and a port", "RFC 9110 §7.2", b" example.com:8080", "example.com:8080"),
    _host("an empty port", "RFC 3986 §3.2.3", b" a:", "a:"),
    _host("an IPv4 address", "RFC 3986 §3.2.2", b" 127.0.0.1:80", "127.0.0.1:80"),
    _host("an IPv6 address", "RFC 3986 §3.2.2", b" [2001:db8::1]:80", "[2001:db8::1]:80"),
    _host("white space around a name", "RFC 9112 §5", b"\t a \t", "a"),
    _host("an underscore", "RFC 3986 §3.2.2", b" a_b", "a_b"),
    served("no Host in HTTP/1.0", "RFC 9112 §3.2", get(first=b"GET /x HTTP/1.0", host=b""),
           Seen(host=""), closes=True),
    _no_host("no Host", "RFC 9112 §3.2"),
    refused("no Host with an absolute target", "RFC 9112 §3.2",
            get(first=b"GET http://a/x HTTP/1.1", host=b"")),
    refused("another Host malformed beside an absolute target", "RFC 9112 §3.2",
            get(first=b"GET http://a/x HTTP/1.1", host=b"Host: a b")),
    _no_host("two Hosts", "RFC 9112 §3.2", b"Host: a", b"Host: b"),
    _no_host("two equal Hosts", "RFC 9112 §3.2", b"Host: a", b"Host: a"),
    _no_host("two Hosts of different case", "RFC 9112 §3.2", b"Host: a", b"hOST: a"),
    _no_host("a Host and an empty one", "RFC 9112 §3.2", b"Host: a", b"Host:"),
    _no_host("Hosts far apart", "RFC 9112 §3.2", b"Host: a", *[b"X-A: b"] * 50, b"Host: b"),
    refused("two Hosts in HTTP/1.0", "RFC 9112 §3.2",
            get(b"Host: b", first=b"GET /x HTTP/1.0")),
    refused("a malformed Host in HTTP/1.0", "RFC 9112 §3.2",
            get(first=b"GET /x HTTP/1.0", host=b"Host: a b")),
    _host("an empty Host", "RFC 9112 §3.2", b"", ""),
    _host("a Host of white space", "RFC 9112 §3.2", b" \t", ""),
    served("an empty Host beside an absolute target", "RFC 9112 §3.2.2",
           get(first=b"GET http://b/x HTTP/1.1", host=b"Host:"), Seen(host="b")),
    _no_host("two empty Hosts", "RFC 9112 §3.2", b"Host:", b"Host:"),
    _no_host("an empty Host and one", "RFC 9112 §3.2", b"Host:", b"Host: a"),
    _no_host("a port alone", "RFC 9110 §4.2.1", b"Host: :80"),
    *[
        _no_host(f"the Host {value!r}", "RFC 9110 §7.2", b"Host: " + value.encode())
        for value in (
            "a b", "a, b", "a,b c", "me@a", "me:pw@a", "a/b", "a/", "/", "http://a", "a?b", "a#b", "a\\b",
            "a:80:80", "a:http", "a:-1", "a:+1", "a:80 ;", "a:123456", "[::1", "::1", "[::1]x", "[]",
            "[::1]:x", "[fe80::1%25eth0]", '"a"', "a<b", "a|b", "a^b", "a`b", "{a}", "a%", "a%4", "a%zz",
        )
    ],
    _no_host("a Host beyond ASCII", "RFC 9110 §7.2", b"Host: \xe4"),
    _no_host("a Host with a no-break space", "RFC 9110 §7.2", b"Host: a\xa0"),
    _no_host("NUL in Host", "RFC 9110 §7.2", b"Host: a\0b"),
]  # fmt: skip
