"""Merges a user's package named `gateway`, of a payment gateway for instance, into this one.

This package is imported first, so `import gateway` cannot find the user's.  Instead the user's
modules are found after ours (`gateway.models`), and so are the names in its `__init__.py` that ours
does not define (`from gateway import VERSION`).  A module that both packages have is ours, because
it runs already.
"""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

_folders: list[str] = []
_modules: dict[str, ModuleType] = {}


def merge_user_package(code_folder: str) -> list[str]:
    """Merge the package `gateway` of a code folder; return the names of modules in both
    packages."""
    folder = os.path.join(code_folder, "gateway")
    paths = sys.modules["gateway"].__path__
    ours = paths[0]
    if not os.path.isdir(folder) or folder in _folders or os.path.samefile(folder, ours):
        return []
    _folders.append(folder)
    paths.append(folder)
    return sorted(_modules_in(folder) & _modules_in(ours))


def attribute(name: str) -> object:
    """The value of `name` in the `__init__.py` of the user's package.

    Raises:
        AttributeError: it does not define this name.
    """
    for folder in _folders:
        path = os.path.join(folder, "__init__.py")
        if folder not in _modules and os.path.isfile(path):
            spec = spec_from_file_location("gateway", path)
            assert spec is not None
            assert spec.loader is not None
            module = _modules[folder] = module_from_spec(spec)
            module.__package__ = "gateway"  # For relative imports such as `from . import models`.
            spec.loader.exec_module(module)
        if folder in _modules and hasattr(_modules[folder], name):
            return getattr(_modules[folder], name)
    raise AttributeError(f"module 'gateway' has no attribute {name!r}")


def _modules_in(folder: str) -> set[str]:
    names = (entry.partition(".") for entry in os.listdir(folder))
    return {stem for stem, _, ending in names if stem[:2] != "__" and ending in ("", "py")}
