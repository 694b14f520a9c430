"""The environment variables that Function Compute shows a function's code, for a worker's own.

What the options say is what `fc.context` says, so the code sees the same in `os.environ`.
Credentials are never made up: where nobody has set ALIBABA_CLOUD_ACCESS_KEY_ID, there is none.
"""

import os
import socket
import sys
import time
from collections.abc import MutableMapping

from gateway.fc import names
from gateway.fc.context import ContextTemplate


def declare(
    environ: MutableMapping[str, str],
    *,
    code_folder: str,
    contexts: ContextTemplate,
    port: int | None,
) -> None:
    """Set the variables, before the code is imported.

    `port` is where requests come, `None` where they do not come to a port.  FC_INSTANCE_ID and
    FC_CUSTOM_LISTEN_PORT stay as they are where they are set.
    """
    function, service = contexts.function, contexts.service
    environ.update(
        {
            names.FC_FUNC_CODE_PATH: code_folder,
            names.FC_ACCOUNT_ID: contexts.account_id,
            names.FC_FUNCTION_NAME: function.name,
            names.FC_FUNCTION_HANDLER: function.handler,
            names.FC_FUNCTION_MEMORY_SIZE: str(function.memory),
            names.FC_REGION: contexts.region,
            names.FC_SERVICE_NAME: service.name,
            names.FC_QUALIFIER: service.qualifier,
        }
    )
    if not environ.get(names.FC_INSTANCE_ID):
        environ[names.FC_INSTANCE_ID] = new_instance_id(int(time.time()), os.urandom(8))
    if port is not None:
        environ.setdefault(names.FC_CUSTOM_LISTEN_PORT, str(port))


def new_instance_id(second: int, entropy: bytes) -> str:
    """An instance id as Function Compute's: since when, and 8 random bytes."""
    return f"c-{second & 0xFFFF_FFFF:08x}-{entropy.hex()}"


def port_of(sock: socket.socket) -> int | None:
    """The port of a listening socket; `None`: it has none."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    port: int = sock.getsockname()[1]
    return port


def module_file(target: str) -> str | None:
    """The file of the module that a loaded `target` names."""
    module, colon, _ = target.partition(":")
    name = module if colon else target.rpartition(".")[0]
    found = sys.modules.get(name.replace("/", "."))
    file = getattr(found, "__file__", None)
    return file if isinstance(file, str) else None
