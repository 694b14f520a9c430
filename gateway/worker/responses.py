"""What the settings mean for responses: a part of the composition root, `app.py`."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Final

from gateway.config import Config
from gateway.container.exchange import (
    PlatformExchange,
    SilentPlatformExchange,
    TellingPlatformExchange,
)
from gateway.container.verdict import Verdicts
from gateway.errors import UsageError
from gateway.fc import names
from gateway.fc.request_ids import SEED_SIZE, RequestIds, RequestIds3
from gateway.http.answers.error_style import ErrorStyle, FunctionCompute2, FunctionCompute3
from gateway.http.answers.problem_details import ProblemDetails
from gateway.http.connection.exchange import Exchange
from gateway.http.connection.fc_fields import SilentExchange, TellingExchange

if TYPE_CHECKING:
    from gateway.fc.metadata import InvocationMetadata

_STYLES: Final[dict[str, Callable[..., ErrorStyle]]] = {
    "fc2": FunctionCompute2,
    "fc3": FunctionCompute3,
    "plain": ProblemDetails,
}

_EXCHANGES: Final[dict[str, type[Exchange]]] = {
    "minimal": Exchange,
    "full": TellingExchange,
    "none": SilentExchange,
}

_PLATFORM_EXCHANGES: Final[dict[str, type[Exchange]]] = {
    "minimal": PlatformExchange,
    "full": TellingPlatformExchange,
    "none": SilentPlatformExchange,
}

_INSTANCE_ID: Final = re.compile(r"[!-~]{1,128}")


def error_style(config: Config) -> ErrorStyle:
    """What makes the gateway's own responses."""
    style = _STYLES[config.error_style](shows_stack=config.tracebacks)
    return Verdicts(style) if is_container(config) else style


def exchange_type(config: Config) -> type[Exchange]:
    """The type of exchange whose responses have the wanted Function Compute fields."""
    exchanges = _PLATFORM_EXCHANGES if is_container(config) else _EXCHANGES
    return exchanges[config.fc_headers]


def is_container(config: Config) -> bool:
    """Whether only Function Compute can connect."""
    return config.profile == "custom-container"


def request_ids(config: Config) -> Callable[[], str]:
    """The source of request ids, in the form of the generation whose error style is in force."""
    seed = os.urandom(SEED_SIZE)
    if config.error_style == "fc3":
        return RequestIds3(seed, time).next
    return RequestIds(seed).next


def metadata(config: Config, target: str) -> "InvocationMetadata | None":
    """What responses report of their invocations, after the handler `target` is loaded.

    Raises:
        UsageError: FC_INSTANCE_ID cannot stand in a header field.
    """
    if config.fc_headers != "full":
        return None
    # Imported only where they are used.
    from gateway.code.code_checksum import code_checksum  # noqa: PLC0415
    from gateway.code.declared_environ import module_file  # noqa: PLC0415
    from gateway.fc.metadata import InvocationMetadata  # noqa: PLC0415
    from gateway.logs.peak_memory import peak_memory  # noqa: PLC0415

    instance_id = os.environ.get(names.FC_INSTANCE_ID, "")
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise UsageError(
            f"{names.FC_INSTANCE_ID} goes into a header field: "
            "give 1 to 128 printable ASCII characters without blanks, or leave it unset"
        )
    return InvocationMetadata(
        instance_id,
        code_checksum(Path(os.environ[names.FC_FUNC_CODE_PATH]), module_file(target)),
        peak_memory,
    )
