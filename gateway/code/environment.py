"""Sets the environment variables of a function in a running process.

On Function Compute the interpreter starts with them.  Here it runs already, so what the interpreter
and the C library read at their start is updated as far as possible.
"""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import PurePosixPath

_CLOUD_FOLDER = PurePosixPath("/code")
"""Where Function Compute puts the code."""


def put_in_force(variables: Iterable[tuple[str, str]], code_folder: str) -> None:
    """Set the variables; `code_folder` is the local folder of the code."""
    told = dict(variables)
    os.environ.update(told)
    if "TZ" in told:
        time.tzset()
    folders = filter(None, told.get("PYTHONPATH", "").split(os.pathsep))
    at = sys.path.index(code_folder) + 1 if code_folder in sys.path else 0
    for folder in [_here(folder, code_folder) for folder in folders]:
        if folder not in sys.path:
            sys.path.insert(at, folder)
            at += 1


def _here(folder: str, code_folder: str) -> str:
    """The local folder for a folder on Function Compute."""
    path = PurePosixPath(folder)
    if path.is_relative_to(_CLOUD_FOLDER) and not os.path.exists(folder):
        folder = str(path.relative_to(_CLOUD_FOLDER))
    return os.path.normpath(os.path.join(code_folder, folder))
