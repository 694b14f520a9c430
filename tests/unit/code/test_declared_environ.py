"""What a function's code finds in its environment, and what a worker knows of itself."""

import re
import resource
import socket
import sys

import pytest

from gateway.code.declared_environ import (
    declare,
    module_file,
    new_instance_id,
    port_of,
)
from gateway.fc import names
from gateway.fc.context import ContextTemplate, Function, Service
from gateway.logs.peak_memory import peak_memory

CONTEXTS = ContextTemplate(
    function=Function("orders", "app:handler", 512, 60),
    service=Service("shop", qualifier="blue"),
    region="cn-hangzhou",
    account_id="123",
)


def declared(port=9000, **given):
    environ = dict(given)
    declare(environ, code_folder="/code", contexts=CONTEXTS, port=port)
    return environ


def test_all_variables():
    environ = declared()
    assert re.fullmatch("c-[0-9a-f]{8}-[0-9a-f]{16}", environ.pop("FC_INSTANCE_ID"))
    assert environ == {
        "FC_FUNC_CODE_PATH": "/code",
        "FC_ACCOUNT_ID": "123",
        "FC_FUNCTION_NAME": "orders",
        "FC_FUNCTION_HANDLER": "app:handler",
        "FC_FUNCTION_MEMORY_SIZE": "512",
        "FC_REGION": "cn-hangzhou",
        "FC_SERVICE_NAME": "shop",
        "FC_QUALIFIER": "blue",
        "FC_CUSTOM_LISTEN_PORT": "9000",
    }


def test_the_instance_stays_who_it_is():
    assert declared(FC_INSTANCE_ID="c-1")["FC_INSTANCE_ID"] == "c-1"
    assert declared(FC_INSTANCE_ID="")["FC_INSTANCE_ID"].startswith("c-")
    assert declared()["FC_INSTANCE_ID"] != declared()["FC_INSTANCE_ID"]


def test_the_port_stays_as_it_is_set():
    assert declared(FC_CUSTOM_LISTEN_PORT="80")["FC_CUSTOM_LISTEN_PORT"] == "80"
    assert "FC_CUSTOM_LISTEN_PORT" not in declared(port=None)


def test_credentials_are_not_made_up():
    assert not any("KEY" in name or "TOKEN" in name for name in declared())


@pytest.mark.parametrize(
    ("second", "shown"), [(0, "00000000"), (2**32 - 1, "ffffffff"), (2**32, "00000000")]
)
def test_instance_ids(second, shown):
    assert new_instance_id(second, bytes(range(8))) == f"c-{shown}-0001020304050607"


def test_ports(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert port_of(sock) == sock.getsockname()[1]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
        assert port_of(sock) is None


def test_files_of_modules():
    for target in ("gateway.fc.names:x", "gateway.fc.names.x", "gateway/fc/names.x"):
        assert module_file(target) == names.__file__
    assert module_file("sys:exit") is None
    assert module_file("no.such:x") is None


def test_the_peak_is_in_bytes():
    scale = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    assert before <= peak_memory() < 64 << 30
