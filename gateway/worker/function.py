"""The user's function as the settings name it: its target, its context and its code."""

import os
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

from gateway.code.declared_environ import declare
from gateway.code.environment import put_in_force
from gateway.code.factories import application_of
from gateway.code.interface import Interface, check_interface, detect_interface, doubt, is_in_doubt
from gateway.code.loading import load, naming
from gateway.code.same_named_package import merge_user_package
from gateway.config import Config
from gateway.error_log.loggers import logger
from gateway.errors import UsageError
from gateway.fc.context import ContextTemplate, context_template
from gateway.worker.announcement import DEMO_TARGET

log = logger("gateway")


def target_of(config: Config) -> str:
    """The target to serve: the demo where the settings name none."""
    return config.target or DEMO_TARGET


def context_template_of(config: Config) -> ContextTemplate:
    """The context of each invocation, without the request's own part."""
    target = target_of(config)
    return context_template(
        environ=os.environ,
        function_name=config.function_name or target.replace(":", ".").split(".")[0],
        handler=target,
        memory=config.function_memory,
        timeout=ceil(config.handler_timeout),  # Whole seconds; 0 would say that there is none.
        service_name=config.service_name,
        qualifier=config.qualifier,
        region=config.region,
        account_id=config.account_id,
        log_project=config.log_project,
        log_store=config.log_store,
    )


def load_function(config: Config, port: int | None) -> tuple[Callable[..., Any], Interface]:
    """Import the handler from the code folder; return it and its interface.

    `port` is the port of the listening socket, `None` if it has none.
    """
    folder = config.chdir or Path()
    try:
        os.chdir(folder)
        code_folder = str(Path.cwd())  # Fails where the current folder has been removed.
    except OSError as error:
        raise UsageError(
            f"--chdir {folder}: {error.strerror}; name the folder of the handler"
        ) from error
    if code_folder in sys.path:
        sys.path.remove(code_folder)
    sys.path.insert(0, code_folder)
    for name in merge_user_package(code_folder):
        log.warning(
            "gateway.%s is the gateway's own, not that of the code in %s; rename the code's",
            *(name, code_folder),
        )
    declare(os.environ, code_folder=code_folder, contexts=context_template_of(config), port=port)
    put_in_force(config.environment, code_folder)
    with naming(config.places.get("target")):
        handler = application_of(target_of(config), load(target_of(config)), config.interface)
        if config.interface == "auto":
            if is_in_doubt(handler):
                log.warning("%s: %s", target_of(config), doubt(handler))
            return handler, detect_interface(handler)
        if config.interface == "fc-event" and config.target is None:
            raise UsageError("--interface fc-event needs a handler; name it, as in index.handler")
        check_interface(handler, config.interface)
        return handler, config.interface
