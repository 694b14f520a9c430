"""`--exact-environ`: each row of "The exact environ" in docs/fc-compatibility.md."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from functional.serving import Gateway
from functional.test_under_uvicorn import uvicorn
from functional.wire import WireClient

StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="module")
def exact(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway(
        "answers:handler",
        "--exact-environ",
        *("--trusted-proxies", "127.0.0.1", "--body-buffer", "1MB"),
        environ={"SECRET_OF_THE_PROCESS": "1234", "REQUEST_METHOD": "no", "HTTP_X_A": "no"},
    )


@pytest.fixture(scope="module")
def usual(start_shared_gateway: StartGateway) -> Gateway:
    return start_shared_gateway("answers:handler", environ={"SECRET_OF_THE_PROCESS": "1234"})


@pytest.fixture
def client(exact: Gateway) -> Iterator[WireClient]:
    with exact.connect() as connection:
        yield connection


def environ_of(client: WireClient, target: str = "/environ", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.ask(target, **more).json()
    return found


def test_the_path_is_text(client: WireClient, usual: Gateway) -> None:
    for _ in range(2):  # The second one repeats the head.
        assert environ_of(client, "/environ/%C3%BC%20%E2%82%AC")["PATH_INFO"] == "/environ/ü €"
    path = "/2016-08-15/proxy/shop/orders/environ/%C3%BC"
    environ = environ_of(client, path)
    assert environ["PATH_INFO"] == "/environ/ü"
    assert environ["fc.request_uri"] == path
    with usual.connect() as other:
        assert environ_of(other, "/environ/%C3%BC")["PATH_INFO"] == "/environ/Ã¼"


@pytest.mark.parametrize(
    ("path", "shown"), [("%FF", "\ufffd"), ("a%C3", "a\ufffd"), ("%ED%A0%80", "\ufffd" * 3)]
)
def test_what_is_no_text_is_replaced(client: WireClient, path: str, shown: str) -> None:
    assert environ_of(client, f"/environ/{path}")["PATH_INFO"] == f"/environ/{shown}"


def test_header_fields_are_text(client: WireClient) -> None:
    def sent(text: str) -> str:
        return text.encode().decode("latin-1")  # As the client writes it.

    fields = [
        ("X-A", sent("ü €")),
        ("X-B", "\xff"),
        ("Content-Type", sent("text/plain; x=ü")),
    ]
    environ = environ_of(client, fields=fields)
    assert environ["HTTP_X_A"] == "ü €"
    assert environ["HTTP_X_B"] == "\ufffd"
    assert environ["CONTENT_TYPE"] == "text/plain; x=ü"
    assert environ_of(client, fields=[("X-A", "1"), ("X-A", "2")])["HTTP_X_A"] == "1,2"


def test_the_process_s_variables_are_in_it(client: WireClient, usual: Gateway) -> None:
    environ = environ_of(client, fields=[("X-A", "asked")])
    assert environ["SECRET_OF_THE_PROCESS"] == "1234"
    assert environ["FC_FUNCTION_NAME"] == "answers"
    assert (environ["REQUEST_METHOD"], environ["HTTP_X_A"]) == ("GET", "asked")
    assert client.ask("/set").status == 200
    assert environ_of(client, fields=[("X-A", "asked")])["SET_BY_A_REQUEST"] == "yes"
    with usual.connect() as other:
        environ = environ_of(other)
        assert not {"SECRET_OF_THE_PROCESS", "PATH", "FC_FUNCTION_NAME"} & environ.keys()


def test_constants(client: WireClient) -> None:
    assert (
        environ_of(client).items()
        >= {
            "HTTP": "on",
            "HTTP_HOST": "gateway.test",
            "HTTP_X_FC_FUNCTION_HANDLER": "answers:handler",
            "CONTENT_LENGTH": "0",
            "QUERY_STRING": "",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "SERVER_NAME": "FCRUNTIME",
            "SERVER_PORT": "9000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "FCRUNTIME/1.0",
            "fc.context": "FCContext",
            "fc.request_uri": "/environ",
            "wsgi.errors": "TextIOWrapper",
            "wsgi.input": "BytesIO",
            "wsgi.multiprocess": False,
            "wsgi.multithread": True,  # It has eight threads.
            "wsgi.run_once": False,
            "wsgi.url_scheme": "http",
            "wsgi.version": "tuple",
        }.items()
    )


def test_constants_of_http_1_0(exact: Gateway) -> None:
    with exact.connect() as client:
        client.send(b"GET /environ?a=b HTTP/1.0\r\n\r\n")
        environ = client.read_response().json()
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["QUERY_STRING"] == "a=b"


def test_constants_behind_a_proxy(client: WireClient) -> None:
    fields = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https")]
    environ = environ_of(client, fields=fields)
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["wsgi.url_scheme"] == "http"
    assert "HTTPS" not in environ


def test_content_type(client: WireClient) -> None:
    assert environ_of(client)["CONTENT_TYPE"] == "application/octet-stream"
    fields = [("Content-Type", "text/html")]
    assert environ_of(client, fields=fields)["CONTENT_TYPE"] == "text/html"


def test_cookies(client: WireClient) -> None:
    assert environ_of(client, fields=[("Cookie", "a=1")])["HTTP_COOKIE"] == "a=1"
    fields = [("Cookie", "a=1"), ("X-A", "b"), ("cookie", "c=ä")]
    assert environ_of(client, fields=fields)["HTTP_COOKIE"] == "a=1,c=\ufffd"


def test_what_it_has_not(client: WireClient, usual: Gateway) -> None:
    missing = {"REMOTE_PORT", "wsgi.input_terminated", "wsgi.file_wrapper"}
    assert not missing & environ_of(client).keys()
    with usual.connect() as other:
        assert missing <= environ_of(other).keys()


@pytest.mark.parametrize(
    ("size", "kind"),
    [(0, "BytesIO"), (5, "BytesIO"), (200_000, "BytesIO"), (1 << 20, "BytesIO"),
     ((1 << 20) + 1, "BufferedReader")],
)  # fmt: skip
def test_the_body_is_a_bytes_io(client: WireClient, size: int, kind: str) -> None:
    for _ in range(2):
        answer = client.ask("/input", "POST", body=bytes(size)).body
        assert answer == f"{kind} {size}".encode()


def test_a_body_in_chunks_has_its_length(client: WireClient) -> None:
    client.request("/environ", "POST", [("Transfer-Encoding", "chunked")])
    client.send(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    environ = client.read_response().json()
    assert environ["CONTENT_LENGTH"] == "11"
    assert "HTTP_TRANSFER_ENCODING" not in environ


def test_an_asynchronous_request_has_it_too(exact: Gateway, client: WireClient) -> None:
    assert client.ask("/raise", fields=[("X-Fc-Invocation-Type", "Async")]).status == 202
    assert client.ask("/environ", fields=[("X-Fc-Invocation-Type", "Async")]).status == 202
    assert "fault of the gateway" not in exact.errors


def test_under_another_server(tmp_path: Path) -> None:
    with (
        uvicorn("answers_hosted:exact_app", "h11", tmp_path) as server,
        WireClient(server.address) as client,
    ):
        environ = environ_of(client, "/environ/%C3%BC?q")
        assert environ["PATH_INFO"] == "/environ/ü"
        assert environ["SERVER_NAME"] == "FCRUNTIME"
        assert environ["HTTP_X_FC_FUNCTION_HANDLER"] == "answers.handler"
        assert "PATH" in environ
        assert client.ask("/input", "POST", body=bytes(200_000)).body == b"BytesIO 200000"


# Frameworks.


def test_flask(start_gateway: StartGateway) -> None:
    gateway = start_gateway("flask_site:handler", "--exact-environ")
    with gateway.connect() as client:
        assert client.ask("/").body == b"Hello from Flask"
        lines = client.ask("/stream/3?word=%C3%BC").body.decode().splitlines()
        assert lines == ["ü 0", "ü 1", "ü 2"]  # The query is as ever.
        answer = client.ask("/json", "POST", fields=[("Content-Type", "application/json")],
                            body=b'{"a": "\xc3\xbc"}')  # fmt: skip
        assert answer.json() == {"a": "ü"}
        assert client.ask("/file").status == 200
        # The documented difference: Werkzeug undoes latin-1, in which the path is not any more.
        assert client.ask("/p%C3%A4th/x?q=1").status == 404
        response = client.ask("/%E2%82%AC")
        assert (response.status, response.json()["errorType"]) == (502, "UnicodeEncodeError")
        assert client.ask("/").status == 200


def test_django(start_gateway: StartGateway) -> None:
    address = start_gateway("django_site:handler", "--exact-environ").address
    with requests.Session() as session:
        method, _, token = session.get(f"{address}/?a=b%20c", timeout=15).text.split()
        assert method == "GET"
        assert session.post(f"{address}/protected", timeout=15).status_code == 403
        form = {"csrfmiddlewaretoken": token}
        assert session.post(f"{address}/protected", data=form, timeout=15).text == "posted"
        files = {"file": ("a.bin", bytes(200_000))}
        answer = session.post(f"{address}/upload", files=files, data={"note": "n"}, timeout=15)
        assert answer.status_code == 200
        assert session.get(f"{address}/stream/2", timeout=15).text == "line 0\nline 1\n"
        # The documented difference.
        assert session.get(f"{address}/päth/näme?q=1", timeout=15).status_code == 404
        assert session.get(f"{address}/€", timeout=15).status_code == 502
        assert session.get(f"{address}/", timeout=15).status_code == 200
