"""The environment variables that Function Compute sets for a function's code.

The code finds the same values in `os.environ` and in its context (`fc.context`).  Credentials are
never invented: without ALIBABA_CLOUD_ACCESS_KEY_ID in the environment there are none.
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

    `port` is the listening port, `None` if there is none.  FC_INSTANCE_ID and FC_CUSTOM_LISTEN_PORT
    are kept if they are set.
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
    """An instance id in Function Compute's form: the start in seconds and 8 random bytes."""
    return f"c-{second & 0xFFFF_FFFF:08x}-{entropy.hex()}"


def port_of(sock: socket.socket) -> int | None:
    """The port of a listening socket; `None` if it has none."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    port: int = sock.getsockname()[1]
    return port


def module_file(target: str) -> str | None:
    """The file of the module of a loaded `target`; `None` if it has none."""
    module, colon, _ = target.partition(":")
    name = module if colon else target.rpartition(".")[0]
    found = sys.modules.get(name.replace("/", "."))
    file = getattr(found, "__file__", None)
    return file if isinstance(file, str) else None
