"""Real proxies in front of a gateway, each a process of its own, on loopback."""

import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from functional.serving import wait_until
from functional.wire import WireClient

from bench import debian

PATIENCE = "400ms"
"""How long a proxy waits for the rest of a request that the client never sends."""

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path {folder}/client;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    large_client_header_buffers 8 64k;
    client_header_timeout {patience};
    client_body_timeout {patience};
    upstream gateway {{ server 127.0.0.1:{upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://gateway;
            proxy_http_version {version};
            proxy_request_buffering {buffering};
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
        }}
    }}
}}
"""

_HAPROXY = """
global
    maxconn 128
    tune.bufsize 65536
    tune.http.maxhdr 32000
defaults
    mode http
    timeout connect 5s
    timeout server 15s
    timeout client {patience}
    timeout http-request {patience}
frontend front
    bind 127.0.0.1:{port}
    default_backend gateway
backend gateway
    http-reuse always
    server only 127.0.0.1:{upstream}
"""


def find_program(name: str) -> str:
    """Its path; without it the test is skipped, but fails where all tests must run."""
    path = debian.find(name)
    if path is None:
        assert not os.environ.get("CI"), f"{name} is not installed"
        pytest.skip(f"{name} is not installed")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Proxy:
    """A running proxy; a context manager that ends it."""

    def __init__(self, folder: Path, name: str, command: Callable[[Path], list[str]], text: str):
        """`text` is its configuration, with places for `port`, `folder` and `patience`."""
        self.name = name
        self.port = _free_port()
        configuration = folder / "configuration"
        values = {"port": self.port, "folder": folder, "patience": PATIENCE}
        configuration.write_text(text.format(**values))
        self._errors = folder / "errors.txt"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command(configuration), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
            )
        try:
            wait_until(self._has_started, f"{name} starts")
        except BaseException:
            self.kill()
            raise

    def _has_started(self) -> bool:
        assert self._process.poll() is None, self._errors.read_text()
        with suppress(ConnectionError), self.connect():
            return True
        return False

    def connect(self) -> WireClient:
        return WireClient(f"http://127.0.0.1:{self.port}")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            assert self._process.poll() is None, self._errors.read_text()
        finally:
            self.kill()


def nginx(
    folder: Path, upstream: int, *, buffers_requests: bool = True, version: str = "1.1"
) -> Proxy:
    """nginx in front of a gateway's port; buffering, it reads a body before it forwards any.

    `version` is that of HTTP between the two: it keeps its connections with 1.1 alone.
    """
    program = find_program("nginx")
    buffering = "on" if buffers_requests else "off"
    text = _NGINX.replace("{upstream}", str(upstream)).replace("{buffering}", buffering)
    text = text.replace("{version}", version)
    return Proxy(
        folder,
        "nginx",
        lambda file: [program, "-e", "stderr", "-p", str(folder), "-c", str(file)],
        text,
    )


def haproxy(folder: Path, upstream: int) -> Proxy:
    """HAProxy in front of a gateway's port."""
    program = find_program("haproxy")
    text = _HAPROXY.replace("{upstream}", str(upstream))
    return Proxy(folder, "haproxy", lambda file: [program, "-db", "-q", "-f", str(file)], text)
