"""Each kind of value: what it takes, what it refuses, and in which words."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import targets, values
from gateway.config.values import BadValueError, Kind

SIZE = values.size(minimum=64)
TIME = values.duration(minimum=0.001)
COUNT = values.integer(1, 1024)
COLOUR = values.choice("red", "green", "blue")
COLOURS = values.some_of("red", "green", "blue")

TAKEN: list[tuple[Kind[Any], str, object]] = [
    (SIZE, "512", 512),
    (SIZE, "512B", 512),
    (SIZE, "64", 64),
    (SIZE, "8KB", 8192),
    (SIZE, "8kb", 8192),
    (SIZE, "8 KiB", 8192),
    (SIZE, " 8KB\n", 8192),
    (SIZE, "1.5KB", 1536),
    (SIZE, "0.5MB", 524288),
    (SIZE, "32MB", 33554432),
    (SIZE, "32MiB", 33554432),
    (SIZE, "1GB", 1073741824),
    (SIZE, "1024GiB", 1099511627776),
    (SIZE, "64.0", 64),
    (values.size(), "0", 0),
    (values.size(), "0MB", 0),
    (TIME, "30", 30.0),
    (TIME, "1.5s", 1.5),
    (TIME, ".5", 0.5),
    (TIME, "500ms", 0.5),
    (TIME, "500 MS", 0.5),
    (TIME, "1ms", 0.001),
    (TIME, "2m", 120.0),
    (TIME, "1h", 3600.0),
    (TIME, "8760h", 31536000.0),
    (TIME, "1e-02", 0.01),
    (values.duration(), "0", 0.0),
    (values.duration_or_zero(1.0), "0", 0.0),
    (values.duration_or_zero(1.0), "1s", 1.0),
    (values.duration_or_zero(1.0), "1.001s", 1.001),
    (COUNT, "1", 1),
    (COUNT, "1024", 1024),
    (COUNT, " 7 ", 7),
    (COLOUR, "red", "red"),
    (COLOUR, "GREEN", "green"),
    *((values.SWITCH, text, True) for text in ("1", "true", "yes", "on", "True", "ON ")),
    *((values.SWITCH, text, False) for text in ("0", "false", "no", "off", "No")),
    (values.TEXT, "", ""),
    (values.TEXT, "Größe 1", "Größe 1"),
    (values.HEADER_VALUE, "", ""),
    (values.HEADER_VALUE, "nginx/1.2 (x)", "nginx/1.2 (x)"),
    (values.PATH, "a b/c", Path("a b/c")),
    (values.SOURCE, "etc/keys.json", Path("etc/keys.json")),
    (values.SOURCE, '{"keys": [{"x5u": "ftp://a@b"}]}', '{"keys": [{"x5u": "ftp://a@b"}]}'),
    (values.SOURCE, "https://a.test/keys?a=@", "https://a.test/keys?a=@"),
    (values.SOURCE, "HTTP://[::1]:8080", "HTTP://[::1]:8080"),
    (values.METHODS, "get, Post,GET", ("GET", "POST")),
    (values.METHODS, "", ()),
    (values.HOST, "localhost", "localhost"),
    (values.HOST, "0.0.0.0", "0.0.0.0"),
    (values.HOST, "::", "::"),
    (values.HOST, "fe80::1%eth0", "fe80::1%eth0"),
    (values.NETWORKS, "10.0.0.0/8", ("10.0.0.0/8",)),
    (values.NETWORKS, " 10.1.2.3 , ::1,,unix,*,10.1.2.3", ("10.1.2.3/32", "::1/128", "unix", "*")),
    (values.NETWORKS, "", ()),
    (values.NETWORKS, "2001:DB8::/32", ("2001:db8::/32",)),
    (values.MODE, "600", 0o600),
    (values.MODE, "0777", 0o777),
    (values.MODE, "000", 0),
    (COLOURS, "Red, blue", ("red", "blue")),
    (values.MEMORY, "512", 512),
    (values.MEMORY, "512MB", 512),
    (values.MEMORY, "1.5GB", 1536),
    (values.MEMORY, "1024KB", 1),
    (values.SOCKET, "gw.sock", Path("gw.sock")),
    (values.SOCKET, "./@gw", Path("./@gw")),
    (values.SOCKET, "@g", "@g"),
    (targets.TARGET, "app:handler", "app:handler"),
    (targets.TARGET, "a.b.c:site.wsgi", "a.b.c:site.wsgi"),
    (targets.TARGET, "index.handler", "index.handler"),
    (targets.TARGET, "./src/my-code/index.handler", "./src/my-code/index.handler"),
    (targets.TARGET, "py:handler", "py:handler"),
    (targets.TARGET, "app:make()", "app:make()"),
    (targets.TARGET, "app:make('a:b.c', x=1)", "app:make('a:b.c', x=1)"),
    (targets.HOOK, "index.initialize", "index.initialize"),
]

REFUSED: list[tuple[Kind[Any], str, str]] = [
    *(
        (SIZE, text, "is not a size")
        for text in ("", "KB", "32XB", "32M", "0x10", "1e3", "+5", "1_000", "٣", "5 5", "1.", "nan")
    ),
    (SIZE, "9" * 5000, "is not a size"),
    *(
        (values.NETWORKS, text, f"holds '{text}', which is no network; give addresses")
        for text in (
            "all",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/",
            "::1%eth0",
            "010.0.0.1",
            "10.1",
        )
    ),
    (values.NETWORKS, "10.0.0.1/8", "which has bits behind its network; give 10.0.0.0/8, or"),
    (values.NETWORKS, "::ffff:10.0.0.1", "which is IPv4 in IPv6; give it as IPv4"),
    *((values.MODE, text, "is not a mode") for text in ("", "66", "1660", "0o660", "888", "-60")),
    (COLOURS, "", "is not a list of names here; give some of red,green,blue"),
    (COLOURS, "red,pink", "is not a list of names here; give some of red,green,blue"),
    (SIZE, "64.5", "is not a whole number of bytes"),
    (SIZE, "1.0001KB", "is not a whole number of bytes"),
    (SIZE, "63", "is too small; give at least 64"),
    (SIZE, "-8KB", "is too small; give at least 64"),
    (SIZE, "1024.5GB", "is too large; give at most 1024GB"),
    (values.size(), "-1", "is too small; give at least 0"),
    *(
        (TIME, text, "is not a duration")
        for text in ("", "s", "nan", "inf", "-inf", "1d", "1 s s", "1h30m", "1.", "+1", "0x1")
    ),
    (TIME, "-1s", "is too small; give at least 1ms"),
    (TIME, "0", "is too small; give at least 1ms"),
    (TIME, "1e999", "is too large; give at most 8760h"),
    (TIME, "8761h", "is too large; give at most 8760h"),
    (values.duration(), "-0.1", "is too small; give at least 0"),
    (values.duration_or_zero(1.0), "999ms", "is too small; give 0 or at least 1s"),
    (values.duration_or_zero(1.0), "-1", "is too small; give at least 0"),
    *(
        (COUNT, text, "is not a whole number; give one from 1 to 1024")
        for text in ("", "many", "1.0", "1e3", "0x1", "1_0", "٣", "+1", "9" * 5000)
    ),
    (COUNT, "0", "is too small; give at least 1"),
    (COUNT, "-1", "is too small; give at least 1"),
    (COUNT, "1025", "is too large; give at most 1024"),
    (COLOUR, "", "is not a choice here; give red, green or blue"),
    (COLOUR, "re", "is not a choice here; give red, green or blue"),
    (values.SWITCH, "", "is neither yes nor no"),
    (values.SWITCH, "2", "is neither yes nor no"),
    (values.TEXT, "a\nb", "holds a character that cannot be printed"),
    (values.TEXT, "a\x1b[0m", "holds a character that cannot be printed"),
    (values.TEXT, "\udcff", "holds a character that cannot be printed"),
    (values.HEADER_VALUE, "a\r\nSet-Cookie: b", "is not a header value"),
    (values.HEADER_VALUE, "a\n", "is not a header value"),
    (values.HEADER_VALUE, " a", "is not a header value"),
    (values.HEADER_VALUE, "a ", "is not a header value"),
    (values.HEADER_VALUE, "é", "is not a header value"),
    (values.PATH, "", "is not a path"),
    (values.PATH, "a\0b", "is not a path"),
    (values.SOURCE, "", "is not a path"),
    (values.SOURCE, "a\nb", "holds a character"),
    (values.SOURCE, "{a\nb", "holds a character"),
    *(
        (values.SOURCE, text, "is not a URL")
        for text in (
            *("ftp://a/b", "://a", "https://", "https:///keys", "https://a:0/", "https://a:99999/"),
            *("https://a b/", "https://é/", "https://[::1/", "https://a/\n", "file:///etc/keys"),
        )
    ),
    *(
        (values.SOURCE, text, "the URL names a user, which others could see; leave it out")
        for text in ("https://me:pass@a/", "https://token@a", "ftp://me@a", "https://a@b?c")
    ),
    *((values.METHODS, text, "is not a list of methods") for text in ("GET POST", "G", "GÉT")),
    (values.HOST, "", "is not an address"),
    (values.HOST, "a b", "is not an address"),
    (values.HOST, "http://localhost", "is not an address"),
    (values.HOST, "localhost:80", "without port"),
    (values.HOST, "[::1]", "without port and brackets"),
    (values.MEMORY, "much", "is not a size"),
    (values.MEMORY, "512KB", "is not a whole number of MB"),
    (values.MEMORY, "0", "is too small; give at least 1"),
    (values.MEMORY, "-1", "is too small; give at least 1"),
    (values.MEMORY, "1048577", "is too large; give at most 1048576"),
    (values.SOCKET, "", "is not a path"),
    (values.SOCKET, "@", "is not the name of an abstract socket; give one such as @gateway"),
    (values.SOCKET, "@a\0b", "is not the name of an abstract socket"),
    (targets.TARGET, "", "give package.module:handler or"),
    (targets.TARGET, "app", "give package.module:handler or"),
    (targets.TARGET, ":handler", "give package.module:handler or"),
    (targets.TARGET, ".handler", "give package.module:handler or"),
    (targets.TARGET, "app:", "give package.module:handler or"),
    (targets.TARGET, "app:make(", "its call has no end; give package.module:create_app()"),
    (targets.TARGET, "app:make().wsgi", "its call has no end"),
    (targets.TARGET, "make()", "give package.module:handler or"),
    (targets.HOOK, "index.initialize()", "give package.module:handler or"),
    (targets.TARGET, "app:a..b", "give package.module:handler or"),
    (targets.TARGET, "src/index", "give package.module:handler or"),
    (targets.TARGET, "app.py", "it is a file name"),
    (targets.TARGET, "src/app.py:handler", "it is a file name"),
]


@pytest.mark.parametrize(("kind", "text", "value"), TAKEN)
def test_text_is_read_as_the_value(kind: Kind[Any], text: str, value: object) -> None:
    read = kind.read(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(("kind", "text", "words"), REFUSED)
def test_text_is_refused_with_the_words(kind: Kind[Any], text: str, words: str) -> None:
    with pytest.raises(BadValueError) as refused:
        kind.read(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0"),
        (1, "1"),
        (1000, "1000"),
        (1024, "1KB"),
        (1536, "1536"),
        (33554432, "32MB"),
        (1073741824, "1GB"),
    ],
)
def test_sizes_are_shown_in_the_largest_whole_unit(size: int, shown: str) -> None:
    assert values.show_size(size) == shown
    assert values.size().read(shown) == size


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0"), (0.001, "1ms"), (0.25, "250ms"), (1.5, "1.5s"), (90.0, "90s"), (7200.0, "2h")],
)
def test_durations_are_shown_in_a_unit_that_reads_well(seconds: float, shown: str) -> None:
    assert values.show_duration(seconds) == shown
    assert values.duration().read(shown) == seconds
