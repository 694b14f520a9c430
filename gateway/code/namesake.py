"""The user's own package called `gateway`: of a payment gateway, for instance.

This package has been imported by then, so theirs is not found by its name.  Its modules are found
behind ours (`gateway.models`), and what its `__init__.py` defines where ours defines nothing
(`from gateway import VERSION`).  Modules that both have are ours: they run already.
"""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

_folders: list[str] = []
_modules: dict[str, ModuleType] = {}


def admit(code_folder: str) -> list[str]:
    """Have the package `gateway` of a code folder found behind this one; modules that both have."""
    folder = os.path.join(code_folder, "gateway")
    paths = sys.modules["gateway"].__path__
    ours = paths[0]
    if not os.path.isdir(folder) or folder in _folders or os.path.samefile(folder, ours):
        return []
    _folders.append(folder)
    paths.append(folder)
    return sorted(_modules_in(folder) & _modules_in(ours))


def attribute(name: str) -> object:
    """What the `__init__.py` of the user's package defines; raises AttributeError."""
    for folder in _folders:
        path = os.path.join(folder, "__init__.py")
        if folder not in _modules and os.path.isfile(path):
            spec = spec_from_file_location("gateway", path)
            assert spec is not None
            assert spec.loader is not None
            module = _modules[folder] = module_from_spec(spec)
            module.__package__ = "gateway"  # So that `from . import models` finds it.
            spec.loader.exec_module(module)
        if folder in _modules and hasattr(_modules[folder], name):
            return getattr(_modules[folder], name)
    raise AttributeError(f"module 'gateway' has no attribute {name!r}")


def _modules_in(folder: str) -> set[str]:
    names = (entry.partition(".") for entry in os.listdir(folder))
    return {stem for stem, _, ending in names if stem[:2] != "__" and ending in ("", "py")}
