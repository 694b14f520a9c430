"""Bodies in chunks: sizes, extensions, data, and what stands behind them."""

from conformance.cases import SMUGGLED, Case, Seen, chunked, get, posted, refused, served

_OK = posted(b"ok")
_END = b"0\r\n\r\n"


def _chunk(name: str, source: str, line: bytes, data: bytes = b"ok\r\n") -> Case:
    """A chunk whose first line is faulty up to and with its end."""
    return refused(name, source, chunked(line + data + _END))


SIZES = [
    served("no chunk but the last", "RFC 9112 §7.1", chunked(_END), posted()),
    served("several chunks", "RFC 9112 §7.1", chunked(b"1\r\no\r\n1\r\nk\r\n" + _END), _OK),
    served("a size in upper case", "RFC 9112 §7.1", chunked(b"A\r\n0123456789\r\n" + _END), posted(b"0123456789")),
    served("a size in lower case", "RFC 9112 §7.1", chunked(b"a\r\n0123456789\r\n" + _END), posted(b"0123456789")),
    served("leading zeros in a size", "RFC 9112 §7.1", chunked(b"0000000000000002\r\nok\r\n" + _END), _OK),
    served("several zeros end the body", "RFC 9112 §7.1", chunked(b"2\r\nok\r\n0000\r\n\r\n"), _OK),
    served("line ends in the data", "RFC 9112 §7.1", chunked(b"9\r\n\r\n0\r\n\r\n\r\n\r\n" + _END), posted(b"\r\n0\r\n\r\n\r\n")),
    served("a request in the data", "RFC 9112 §7.1", chunked(b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n" + _END), posted(SMUGGLED)),
    served("chunks of a byte", "RFC 9112 §7.1", chunked(b"1\r\nx\r\n" * 500 + _END), posted(b"x" * 500)),
    served("a large chunk behind small ones", "RFC 9112 §7.1",
           chunked(b"1\r\nx\r\n" * 3 + b"1001\r\n" + b"y" * 4097 + b"\r\n1000\r\n" + b"z" * 4096 + b"\r\n" + _END),
           posted(b"xxx" + b"y" * 4097 + b"z" * 4096)),
    refused("no chunk", "RFC 9112 §7.1", chunked(b"\r\n" + _END)),
    refused("an empty line between chunks", "RFC 9112 §7.1", chunked(b"2\r\nok\r\n\r\n" + _END)),
    refused("a body that is not in chunks", "RFC 9112 §7.1", chunked(SMUGGLED)),
    *[
        _chunk(f"the size {size!r}", source, size + b"\r\n")
        for size, source in [
            (b"g", "RFC 9112 §7.1"), (b"0x2", "CVE-2022-24761"), (b"0X2", "CVE-2022-24761"), (b"x2", "RFC 9112 §7.1"), (b"+2", "CVE-2022-24761"),
            (b"-2", "CVE-2022-24761"), (b"-0", "RFC 9112 §7.1"), (b"0_2", "CVE-2023-47627"), (b"2_", "CVE-2023-47627"), (b" 2", "RFC 9112 §7.1"),
            (b"2 ", "RFC 9112 §7.1"), (b"\t2", "RFC 9112 §7.1"), (b"2\t", "RFC 9112 §7.1"), (b"2h", "RFC 9112 §7.1"), (b"2,", "RFC 9112 §7.1"),
            (b"2.0", "RFC 9112 §7.1"), (b"2 2", "RFC 9112 §7.1"), (b'"2"', "RFC 9112 §7.1"), (b"2\0", "RFC 9112 §7.1"), (b"2\x0b", "CVE-2024-53868"),
            (b"2\xa0", "RFC 9112 §7.1"), (b"\xb2", "RFC 9112 §7.1"), (b"two", "RFC 9112 §7.1"), (b"2:", "RFC 9112 §7.1"), (b"2=3", "RFC 9112 §7.1"),
            (b"10000000000000002", "CVE-2017-7657"), (b"100000002", "CVE-2017-7657"), (b"fffffffffffffffe", "CVE-2021-32714"),
            (b"8000000000000002", "CVE-2021-32714"), (b"00000000000000002", "CVE-2021-32714"), (b"0" * 300 + b"2", "CVE-2024-21647"),
        ]
    ],
    _chunk("line feed behind a size", "CVE-2025-22871", b"2\n"),
    _chunk("carriage return behind a size", "RFC 9112 §2.2", b"2\r"),
    _chunk("carriage return and a letter behind a size", "RFC 9112 §2.2", b"2\rX"),
    _chunk("two carriage returns behind a size", "RFC 9112 §2.2", b"2\r\r\n"),
    _chunk("line feed and carriage return behind a size", "RFC 9112 §2.2", b"2\n\r"),
    _chunk("two line feeds behind a size", "RFC 9112 §2.2", b"2\n\n"),
]  # fmt: skip

DATA = [
    refused("data longer than its size", "RFC 9112 §7.1", chunked(b"2\r\nokay\r\n" + _END)),
    refused("data longer by one byte", "RFC 9112 §7.1", chunked(b"2\r\noka\r\n" + _END)),
    refused("data shorter than its size", "RFC 9112 §7.1", chunked(b"3\r\nok\r\n" + _END)),
    refused("data shorter by two bytes", "RFC 9112 §7.1", chunked(b"4\r\nok\r\n" + _END)),
    refused("no line end behind data", "RFC 9112 §7.1", chunked(b"2\r\nok" + _END)),
    refused("any two bytes behind data", "CVE-2025-43859", chunked(b"2\r\nokXX" + _END)),
    refused("line feed behind data", "CVE-2025-43859", chunked(b"2\r\nok\n" + _END)),
    refused("carriage return behind data", "CVE-2025-43859", chunked(b"2\r\nok\r" + _END)),
    refused("carriage return and a letter behind data", "CVE-2025-43859", chunked(b"2\r\nok\rX" + _END)),
    refused("two carriage returns behind data", "CVE-2025-43859", chunked(b"2\r\nok\r\r" + _END)),
    refused("line feed and carriage return behind data", "CVE-2025-43859", chunked(b"2\r\nok\n\r" + _END)),
    refused("space behind data", "RFC 9112 §7.1", chunked(b"2\r\nok \r\n" + _END)),
    refused("a large chunk ended by a line feed", "CVE-2025-43859", chunked(b"1001\r\n" + b"x" * 4097 + b"\n" + _END)),
    refused("line feed ends the body", "RFC 9112 §7.1", chunked(b"2\r\nok\r\n0\r\n\n")),
    refused("line feed behind the last size", "CVE-2025-22871", chunked(b"2\r\nok\r\n0\n\r\n")),
    refused("a letter behind the last size", "RFC 9112 §7.1", chunked(b"2\r\nok\r\n0x\r\n\r\n")),
    refused("two bytes in place of the last line", "CVE-2025-43859", chunked(b"2\r\nok\r\n0\r\nXX" + get())),
    refused("carriage return and a letter end the body", "RFC 9112 §7.1", chunked(b"2\r\nok\r\n0\r\n\rX" + get())),
]  # fmt: skip


def _extension(name: str, extension: bytes) -> Case:
    return served(
        name,
        "RFC 9112 §7.1.1",
        chunked(b"2" + extension + b"\r\nok\r\n0" + extension + b"\r\n\r\n"),
        _OK,
    )


EXTENSIONS = [
    _extension("an extension", b";a"),
    _extension("an extension with a value", b";a=b"),
    _extension("an extension in quotes", b';a="b;c=\\"\td"'),
    _extension("several extensions", b';a;b=c;d="e"'),
    _extension("a quoted value beyond ASCII", b';a="\xe4"'),
    *[
        _chunk(f"the extension {extension!r}", source, b"2" + extension + b"\r\n")
        for extension, source in [
            (b";", "RFC 9112 §7.1.1"), (b";;a", "RFC 9112 §7.1.1"), (b";a;", "RFC 9112 §7.1.1"), (b";=b", "RFC 9112 §7.1.1"),
            (b";a=", "RFC 9112 §7.1.1"), (b";a=b=c", "RFC 9112 §7.1.1"), (b';a="b', "RFC 9112 §7.1.1"), (b';a="b"c', "RFC 9112 §7.1.1"),
            (b";a\0", "RFC 9112 §7.1.1"), (b";a=\x7f", "RFC 9112 §7.1.1"), (b";a[", "RFC 9112 §7.1.1"), (b";\xe4", "RFC 9112 §7.1.1"),
            (b' ;a', "RFC 9112 §11.2"), (b"; a", "RFC 9112 §11.2"), (b";a =b", "RFC 9112 §11.2"), (b";a= b", "RFC 9112 §11.2"), (b";a ", "RFC 9112 §7.1.1"),
            (b";a\nb", "CVE-2024-52304"), (b";a=b\n", "CVE-2024-52304"), (b";a\rb", "CVE-2024-52304"), (b';a="\n"', "CVE-2024-52304"),
            (b';a="\r"', "CVE-2024-52304"), (b';a="\\\n"', "CVE-2024-52304"), (b';a="b\r\n"', "CVE-2024-52304"), (b";" + b"a" * 300, "CVE-2023-39326"),
        ]
    ],
    *[
        _chunk(f"an extension ended by {end!r}", source, b"2;a" + end)
        for end, source in [(b"\n", "CVE-2025-55315"), (b"\r", "CVE-2025-55315"), (b"\rX", "CVE-2025-55315"), (b"\r\r", "CVE-2025-55315"), (b"\n\r", "CVE-2025-58056")]
    ],
    refused("an extension that hides a chunk from who ends lines at a line feed", "CVE-2025-58056", chunked(b"5;\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    refused("an extension that hides one from who does not", "CVE-2025-58056", chunked(b"2;\nxx\r\n32\r\n" + b"0\r\n\r\n" + SMUGGLED)),
    refused("the funky chunk of a carriage return", "CVE-2025-55315", chunked(b"5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n" + SMUGGLED)),
    refused("extensions of many chunks", "CVE-2022-24790", chunked((b"1;a=" + b"b" * 200 + b"\r\nx\r\n") * 100 + _END)),
    refused("extensions of 64 KiB", "CVE-2023-39326", chunked(b"2;a=" + b"b" * 65536 + b"\r\nok\r\n" + _END)),
]  # fmt: skip


def _trailer(name: str, *lines: bytes, source: str = "RFC 9110 §6.5.1") -> Case:
    return served(
        name,
        source,
        chunked(b"2\r\nok\r\n0\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + get()),
        _OK,
        Seen(),
    )


TRAILERS = [
    _trailer("a trailer", b"X-A: b", source="RFC 9112 §7.1.2"),
    _trailer("several trailers", b"X-A: b", b"X-A:", b"X-C:d \t", source="RFC 9112 §7.1.2"),
    *[
        refused(f"{line!r} in a trailer", "RFC 9110 §6.5.1",
                chunked(b"2\r\nok\r\n0\r\nX-A: b\r\n" + line + b"\r\n\r\n" + get()))
        for line in (
            b"Content-Length: 28", b"transfer-encoding: chunked", b"Host: b", b"HOST:", b"Connection: close",
            b"Upgrade: h2c", b"Expect: tea", b"TE: trailers", b"Trailer: x", b"Keep-Alive: 1", b"Max-Forwards: 1",
            b"Authorization: Basic eDp5", b"Proxy-Authorization: Basic eDp5", b"Cookie: a=b",
            b"Content-Type: a/b", b"Content-Encoding: gzip", b"Content-Range: bytes 0-1/2",
            b"Forwarded: for=a", b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-Proto: https", b"Via: 1.1 a",
        )
    ],
    _trailer("FC's own in a trailer", b"X-Fc-Invocation-Type: Async"),
    *[
        refused(f"the trailer {line!r}", source, chunked(b"2\r\nok\r\n0\r\n" + line + b"\r\n\r\n" + get()))
        for line, source in [
            (b"X-A", "CVE-2023-46589"), (b": b", "CVE-2023-45648"), (b":", "CVE-2023-45648"), (b"X-A : b", "RFC 9112 §5.1"), (b" X-A: b", "RFC 9112 §5.2"),
            (b"X A: b", "RFC 9110 §5.6.2"), (b"X-A: b\r\n c", "RFC 9112 §5.2"), (b"X-A: \0", "RFC 9110 §5.5"), (b"X-A: \x7f", "RFC 9110 §5.5"),
            (b"X-A: b\rX-C: d", "RFC 9112 §2.2"), (b"X-A: b\nX-C: d", "CVE-2025-53643"), (b"X\xe4: b", "RFC 9110 §5.6.2"), (b"X-A: b\r", "RFC 9112 §2.2"),
            (b"GET /smuggled HTTP/1.1", "CVE-2025-53643"), (b"X-A: " + b"b" * 9000, "CVE-2023-46589"), (b"X-A: b\r\n" * 3000 + b"X-C: d", "CVE-2023-46589"),
        ]
    ],
    refused("a request line as trailer", "CVE-2025-53643", chunked(b"0\r\n" + SMUGGLED)),
]  # fmt: skip

CHUNKS = [*SIZES, *DATA, *EXTENSIONS, *TRAILERS]
