"""Where a body ends: Content-Length, Transfer-Encoding, and both together.

Both members of each pair are here: what one server reads by the length and another by the coding
is refused whichever of the two its body was written for.
"""

from conformance.cases import SMUGGLED, Case, Seen, get, post, posted, refused, served

_HELLO = posted(b"hello")
_NO_BODY = posted()


def _length(name: str, source: str, *lines: bytes, body: bytes = b"hello") -> Case:
    return refused(name, source, post(*lines, body=body))


LENGTHS = [
    served("a body", "RFC 9112 §6.2", post(b"Content-Length: 5", body=b"hello"), _HELLO),
    served("a name in any case", "RFC 9110 §5.1", post(b"cONTENT-lENGTH:5", body=b"hello"), _HELLO),
    served("white space around a length", "RFC 9112 §5", post(b"Content-Length: \t5 \t", body=b"hello"), _HELLO),
    served("leading zeros", "RFC 9110 §8.6", post(b"Content-Length: 00000000000000000005", body=b"hello"), _HELLO),
    served("5000 zeros", "RFC 9110 §8.6", post(b"Content-Length: " + b"0" * 5000 + b"5", body=b"hello"), _HELLO),
    served("zeros that are not octal", "RFC 9110 §8.6", post(b"Content-Length: 010", body=b"0123456789"), posted(b"0123456789")),
    served("zeros only", "RFC 9110 §8.6", post(b"Content-Length: 000"), _NO_BODY),
    served("no length", "RFC 9112 §6.3", post(), _NO_BODY),
    served("no length, then a request", "RFC 9112 §6.3", post() + get(), _NO_BODY, Seen()),
    served("the body of a GET", "RFC 9110 §9.3.1", get(b"Content-Length: 5") + b"hello", Seen(body=b"hello")),
    *[
        served(f"a request in the body of {method}", "RFC 9112 §6.3",
               get(b"Content-Length: %d" % len(SMUGGLED), first=method.encode() + b" /x HTTP/1.1") + SMUGGLED,
               Seen(method, body=SMUGGLED))
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH")
    ],
    served("a request behind a body", "RFC 9112 §6.3", post(b"Content-Length: 5", body=b"hello" + get()), _HELLO, Seen()),
    served("a request behind no body", "RFC 9112 §6.3", post(b"Content-Length: 0", body=get()), _NO_BODY, Seen()),
    served("more than the length says", "RFC 9112 §6.3", post(b"Content-Length: 4", body=b"hello" + get()), posted(b"hell"), status=501),
    served("one byte too many", "RFC 9112 §6.3", post(b"Content-Length: 0", body=b"X" + get()), _NO_BODY, status=501),
    _length("two different lengths", "CVE-2020-10108", b"Content-Length: 5", b"Content-Length: 6"),
    _length("two different lengths, the larger first", "CVE-2017-7658", b"Content-Length: 6", b"Content-Length: 5"),
    _length("two equal lengths", "RFC 9112 §6.3", b"Content-Length: 5", b"Content-Length: 5"),
    _length("a length and an empty one", "CVE-2023-40225", b"Content-Length: 5", b"Content-Length:"),
    _length("an empty length and another", "CVE-2023-40225", b"Content-Length:", b"Content-Length: 5"),
    _length("a length and zero", "RFC 9112 §6.3", b"Content-Length: 5", b"Content-Length: 0"),
    _length("zero and a length", "RFC 9112 §6.3", b"Content-Length: 0", b"content-length: 5"),
    _length("2^64", "RFC 9110 §8.6", b"Content-Length: 18446744073709551616"),
    _length("2^64 and 5", "RFC 9110 §8.6", b"Content-Length: 18446744073709551621"),
    _length("2^64 less 1", "RFC 9110 §8.6", b"Content-Length: 18446744073709551615"),
    _length("2^63", "RFC 9110 §8.6", b"Content-Length: 9223372036854775808"),
    _length("2^32 and 5", "RFC 9110 §8.6", b"Content-Length: 4294967301"),
    _length("zeros before 2^64", "RFC 9110 §8.6", b"Content-Length: 00018446744073709551616"),
    _length("5000 digits", "RFC 9110 §8.6", b"Content-Length: " + b"5" * 5000),
    *[
        _length(f"the length {value!r}", source, b"Content-Length: " + value)
        for value, source in [
            (b"", "CVE-2023-40225"), (b"+5", "CVE-2021-32715"), (b"-5", "CVE-2023-34188"), (b"-0", "RFC 9110 §8.6"),
            (b"+0", "CVE-2021-32715"), (b"0x5", "CVE-2023-47627"), (b"5.0", "RFC 9110 §8.6"), (b"5e0", "RFC 9110 §8.6"),
            (b"1_0", "CVE-2023-47627"), (b"5 5", "RFC 9110 §8.6"), (b"5\t5", "RFC 9110 §8.6"), (b"five", "RFC 9110 §8.6"),
            (b"5;", "RFC 9110 §8.6"), (b"5x", "RFC 9110 §8.6"), (b"x5", "RFC 9110 §8.6"), (b'"5"', "RFC 9110 §8.6"),
            (b"5,5", "CVE-2019-16792"), (b"5, 5", "CVE-2019-16792"), (b"5, 6", "CVE-2019-16792"), (b",5", "RFC 9112 §6.3"),
            (b"5,", "RFC 9112 §6.3"), (b"0, 5", "CVE-2019-16792"), (b"0o5", "RFC 9110 §8.6"), (b"\x0b5", "RFC 9110 §5.5"),
            (b"5\x0c", "RFC 9110 §5.5"), (b"5\0", "RFC 9110 §5.5"), (b"\xb2", "RFC 9110 §8.6"), (b"5\xa0", "RFC 9110 §8.6"),
            (b"\xef\xbc\x95", "RFC 9110 §8.6"), (b"chunked", "RFC 9110 §8.6"),
        ]
    ],
    _length("a folded length", "RFC 9112 §5.2", b"Content-Length:", b" 5"),
    _length("a length folded in two", "RFC 9112 §5.2", b"Content-Length: 1", b" 0"),
    _length("space before the name", "CVE-2024-27982", b"X-A: b", b" Content-Length: 5"),
    _length("space before the colon", "RFC 9112 §5.1", b"Content-Length : 5"),
    _length("tab before the colon", "RFC 9112 §5.1", b"Content-Length\t: 5"),
    _length("NUL behind the name", "RFC 9110 §5.1", b"Content-Length\0: 5"),
    _length("0x85 behind the name", "RFC 9110 §5.1", b"Content-Length\x85: 5"),
    served("a name with an underscore is another, and dropped", "CVE-2024-45614", post(b"Content_Length: 5"), _NO_BODY),
    served("what follows a name with an underscore is no body", "CVE-2024-45614", post(b"Content_Length: 28", body=get()), _NO_BODY, Seen()),
    served("a length beside a name with an underscore", "CVE-2024-45614",
           post(b"Content_Length: 1", b"Content-Length: 5", b"content_length: 99", body=b"hello"), _HELLO),
    served("the length of another name", "RFC 9110 §5.1", post(b"X-Content-Length: 5"), posted(b"", ("x-content-length", "5"))),
]  # fmt: skip

_CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"

CODINGS = [
    served("chunks", "RFC 9112 §7.1", post(b"Transfer-Encoding: chunked", body=_CHUNKS), _HELLO),
    served("a coding in any case", "RFC 9112 §7", post(b"TRANSFER-encoding: cHuNkEd", body=_CHUNKS), _HELLO),
    served("white space around a coding", "RFC 9112 §5", post(b"Transfer-Encoding:\t chunked  ", body=_CHUNKS), _HELLO),
    refused("a tab behind a coding, which the parser does not know for white space", "RFC 9112 §11.2", post(b"Transfer-Encoding: chunked\t", body=_CHUNKS)),
    served("chunks of a GET", "RFC 9110 §9.3.1", get(b"Transfer-Encoding: chunked") + _CHUNKS, Seen(body=b"hello")),
    served("a request behind chunks", "RFC 9112 §6.3", post(b"Transfer-Encoding: chunked", body=_CHUNKS + get()), _HELLO, Seen()),
    *[
        refused(f"the coding {value!r}", source, post(b"Transfer-Encoding: " + value, body=_CHUNKS))
        for value, source in [
            (b"", "RFC 9112 §6.1"), (b"identity", "RFC 9112 §7"), (b"gzip", "RFC 9112 §6.3"), (b"x", "RFC 9112 §6.3"),
            (b"chunked, chunked", "RFC 9112 §6.1"), (b"chunked,chunked", "RFC 9112 §6.1"), (b"chunked, gzip", "RFC 9112 §6.3"),
            (b"chunked, identity", "RFC 9112 §6.3"), (b"identity, chunked", "CVE-2024-1135"), (b",chunked", "RFC 9112 §6.1"),
            (b", chunked", "RFC 9112 §6.1"), (b"chunked,", "RFC 9112 §6.1"), (b"chunked ,", "RFC 9112 §6.1"), (b"gzip,,chunked", "RFC 9112 §6.1"),
            (b"chunked;q=1", "RFC 9112 §7"), (b"chunked; x", "RFC 9112 §7"), (b'"chunked"', "RFC 9112 §7"), (b"'chunked'", "RFC 9112 §7"),
            (b"xchunked", "CVE-2022-1705"), (b"chunkedx", "CVE-2022-1705"), (b"x chunked", "CVE-2022-1705"), (b"chunked x", "CVE-2022-1705"),
            (b"chunkedchunked", "CVE-2022-32213"), (b"chunk", "CVE-2022-1705"), (b"\x0bchunked", "CVE-2019-16789"),
            (b"\x0cchunked", "CVE-2019-16789"), (b"chunked\x0b", "CVE-2019-16789"), (b"chunked\0", "RFC 9110 §5.5"),
            (b"\xa0chunked", "RFC 9112 §7"), (b"chunked\x85", "RFC 9112 §7"), (b"ch\xc3\xbcnked", "RFC 9112 §7"), (b"chun\xe2\x84\xaaed", "RFC 9112 §7"),
            (b"5", "RFC 9112 §7"), (b"null", "RFC 9112 §6.3"), (b": chunked", "RFC 9112 §7"), (b"[chunked]", "RFC 9112 §7"),
            (b"chunked\xff", "RFC 9112 §7"), (b"chunked-false", "CVE-2022-1705"), (b"chunked/1", "RFC 9112 §7"),
        ]
    ],
    *[
        refused(f"the coding {value.decode()}, not served", "CVE-2019-16786", post(b"Transfer-Encoding: " + value, body=_CHUNKS), 501)
        for value in (b"gzip, chunked", b"gzip,chunked", b"deflate , chunked", b"x, chunked", b"gzip, br, CHUNKED")
    ],
    refused("a coding not served, in two lines", "CVE-2019-16786", post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=_CHUNKS), 501),
    refused("chunked in two lines", "CVE-2021-21299", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=_CHUNKS)),
    refused("chunked, then identity", "CVE-2021-21299", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=_CHUNKS)),
    refused("identity, then chunked", "CVE-2024-6827", post(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=_CHUNKS)),
    refused("chunked, then nothing", "CVE-2021-21299", post(b"Transfer-Encoding: chunked", b"Transfer-Encoding:", body=_CHUNKS)),
    refused("nothing, then chunked", "CVE-2021-21299", post(b"Transfer-Encoding:", b"transfer-encoding: chunked", body=_CHUNKS)),
    refused("a folded coding", "CVE-2022-32215", post(b"Transfer-Encoding:", b" chunked", body=_CHUNKS)),
    refused("a coding folded behind another", "CVE-2022-32215", post(b"Transfer-Encoding: chunked", b" , identity", body=_CHUNKS)),
    refused("space before the colon of a coding", "CVE-2019-16869", post(b"Transfer-Encoding : chunked", body=_CHUNKS)),
    refused("a coding behind a carriage return", "CVE-2023-30589", post(b"X-A: b\rTransfer-Encoding: chunked", body=_CHUNKS)),
    refused("a coding behind a line feed", "CVE-2022-35256", post(b"X-A: b\nTransfer-Encoding: chunked", body=_CHUNKS)),
    refused("chunked in HTTP/1.0", "RFC 9112 §6.1", get(b"Transfer-Encoding: chunked", first=b"POST /x HTTP/1.0") + _CHUNKS),
    refused("chunked in HTTP/1.0 that stays", "RFC 9112 §6.1",
            get(b"Connection: keep-alive", b"Transfer-Encoding: chunked", first=b"POST /x HTTP/1.0") + _CHUNKS),
    refused("length and coding in HTTP/1.0", "RFC 9112 §6.1",
            get(b"Content-Length: 15", b"Transfer-Encoding: chunked", first=b"POST /x HTTP/1.0") + _CHUNKS),
    served("a name with an underscore is another coding", "CVE-2024-45614", post(b"Transfer_Encoding: chunked"), _NO_BODY),
    served("what follows a coding with an underscore", "CVE-2024-45614", post(b"Transfer_Encoding: chunked", body=_CHUNKS), _NO_BODY, status=400),
    served("Content-Encoding is no coding of the transfer", "RFC 9110 §8.4", post(b"Content-Encoding: chunked", b"Content-Length: 15", body=_CHUNKS),
           posted(_CHUNKS, ("content-encoding", "chunked"))),
    served("TE is no coding of the request", "RFC 9110 §10.1.4", get(b"TE: chunked", b"Connection: TE"), Seen(fields=(("te", "chunked"),))),
    served("a coding in a value of another field", "RFC 9110 §5.5", post(b"X-A: b Transfer-Encoding: chunked", b"Content-Length: 5", body=b"hello"),
           posted(b"hello", ("x-a", "b Transfer-Encoding: chunked"))),
]  # fmt: skip

_ENDS_EARLY = b"0\r\n\r\n" + SMUGGLED
"""By its coding this body is empty, and a request follows."""

_DISGUISES = [
    b"Transfer-Encoding: chunked",
    b"transfer-encoding:chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: chunked \t",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: chunked;x=y",
    b"Transfer-Encoding:",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: \xa0chunked",
    b"Transfer-Encoding: \"chunked\"",
    b"Transfer-Encoding: chunked\0",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b"Transfer-Encoding\0: chunked",
    b"Transfer-Encoding\xa0: chunked",
    b"Transfer-Encoding\r: chunked",
    b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked",
    b"X-A: b\rTransfer-Encoding: chunked",
    b"X-A: b\nTransfer-Encoding: chunked",
    b"X-A: b\r\n\tTransfer-Encoding: chunked",
    b"Transfer-Encoding\r\n : chunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding chunked",
    b"Transfer-Encoding:: chunked",
]  # fmt: skip

PAIRS = [
    *[
        refused(f"{line!r} {where} a length, the body written for {whom}", "RFC 9112 §6.1", post(*lines, body=body))
        for line in _DISGUISES
        for whom, body in (("the length", _ENDS_EARLY), ("the coding", b"1e\r\n" + b"x" * 30 + b"\r\n0\r\n\r\n"))
        for where, lines in (
            ("before", (line, b"Content-Length: %d" % len(body))),
            ("behind", (b"Content-Length: %d" % len(body), line)),
            ("far behind", (b"Content-Length: %d" % len(body), b"X-A: b", b"X-C: d", line)),
        )
    ],
    *[
        refused(f"{line!r} with a length of {length}", "RFC 9112 §6.1", post(line, b"Content-Length: %d" % length, body=_ENDS_EARLY))
        for line in _DISGUISES[:5]
        for length in (0, 1, 4, 5, 6)
    ],
    refused("two lengths, the smaller ending before a request", "RFC 9112 §6.3",
            post(b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED)),
    refused("two lengths, the larger first", "RFC 9112 §6.3",
            post(b"Content-Length: %d" % len(SMUGGLED), b"Content-Length: 0", body=SMUGGLED)),
]  # fmt: skip
