"""From a target such as `index.handler` to the callable that it names.

Forms, all relative to the code folder, which is `sys.path[0]` (whoever starts puts it there):

    module.attr              Function Compute's; the last dot splits, the module may be dotted
    folder/module.attr       Function Compute's; slashes stand for package dots
    package.module:attr      the form of other servers; `attr` may be dotted, `site:app.wsgi`
    package.module:attr(…)   what `attr` returns, called with literals: see `gateway.factories`

What goes wrong is a `LoadError` with Function Compute's name and words for it, then the cause and
the mend.  The user's own exception stays reachable as `__cause__`.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from gateway.code.factories import make, parse_call
from gateway.code.green_threads import require_real_threads
from gateway.code.load_errors import (
    LoadError,
    code_folder,
    describe,
    import_failure,
    invalid_handler,
    is_module_missing,
    missing_handler,
    user_code_failure,
)
from gateway.signatures import Handler, accepts, called, shown, signature

__all__ = ["LoadError", "load", "load_hook", "naming"]


class _Target(NamedTuple):
    module: str
    attribute: str


def load(target: str) -> Handler:
    """The callable that `target` names, or that the factory returns which it calls.

    Raises LoadError, or CodeError where its module has replaced what the gateway stands on; of what
    an import may raise, KeyboardInterrupt alone passes through.
    """
    name, call = parse_call(target)
    module_path, attribute = _parse(name, target)
    try:
        module = _import(module_path, attribute)
    finally:
        require_real_threads()  # Greenlets may also be why the import has failed.
    handler = _find(module_path, attribute, module)
    if not callable(handler):
        cause = f"{attribute!r} is {describe(handler)}, which cannot be called"
        raise invalid_handler(target, cause)
    return handler if call is None else make(target, handler, call)


@contextmanager
def naming(place: str | None) -> Iterator[None]:
    """Have a LoadError begin with the `place` that has the target, if there is one."""
    try:
        yield
    except LoadError as error:
        if place is None:
            raise
        message = f"{place}: {error.message}"
        raise LoadError(error.error_type, message, error.cause) from error.__cause__


def load_hook(target: str, place: str) -> Handler:
    """The hook that `target` names: a plain function that takes the context.

    Raises LoadError, which begins with the `place` that has the target.
    """
    with naming(place):
        if "(" in target:
            raise invalid_handler(target, "a hook is named and not called; leave out (…)")
        hook = load(target)
        call = called(hook)
        if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call):
            raise invalid_handler(target, "it is async, and a hook is a plain function")
        if inspect.isgeneratorfunction(call):
            raise invalid_handler(target, "it is a generator, and a hook is a plain function")
        taken = signature(hook)
        if not accepts(taken, 1):
            raise invalid_handler(target, f"it takes {shown(taken)}, not (context)")
    return hook


def _parse(name: str, target: str) -> _Target:
    """Module and attribute of `name`; messages show the whole `target`."""
    module, colon, attribute = name.rpartition(":")
    if not colon:
        module, _, attribute = name.rpartition(".")
    module = module.removeprefix("./")
    if not module or not attribute or "/" in attribute:
        example = "'index.handler' or 'package.module:app'"
        raise invalid_handler(target, f"write a module and a callable in it, like {example}")
    if module.startswith("/"):
        cause = "the module is named from the code folder on, which --chdir sets"
        raise invalid_handler(target, cause)
    if not module.isprintable() or not all(module.replace("/", ".").split(".")):
        raise invalid_handler(target, f"{module!r} cannot be a module")
    if not all(part.isidentifier() for part in attribute.split(".")):
        raise invalid_handler(target, f"{attribute!r} cannot be the name of a callable")
    return _Target(module, attribute)


def _import(module: str, attribute: str) -> ModuleType:
    name = module.replace("/", ".")
    try:
        file = _file_of(module)
        return importlib.import_module(name) if file is None else _import_file(module, name, file)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        # BaseException: a sys.exit() in the module must not end the start without a word.
        raise import_failure(module, attribute, exc) from exc


def _file_of(module: str) -> Path | None:
    """The file in the code folder that Function Compute, which goes by the path, would load."""
    folder, _, name = module.rpartition("/")
    path = code_folder().joinpath(folder, *name.split("."))
    for file in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if file.is_file():
            return file.resolve()
    return None


def _import_file(module: str, name: str, file: Path) -> ModuleType:
    """Import `file`, which the target calls `module` and an import would call `name`.

    Path and name can disagree: a folder without `__init__.py` loses against an installed package
    of its name, a folder with a dot in it is no package at all.  Then the path decides, and the
    module is known by its path, so that it takes no other module's name.
    """
    spec = _spec(name)
    origin = Path(spec.origin).resolve() if spec and spec.has_location and spec.origin else None
    if origin == file:
        return importlib.import_module(name)
    if spec is not None and name == module and "." not in name:
        raise ImportError(f"{name!r} is {origin or 'a part of Python'}; rename {file.name}")
    path_name = module if "/" in module else module.replace(".", "/")
    if path_name in sys.modules:
        return sys.modules[path_name]
    spec = spec_from_file_location(path_name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not Python code")
    sys.modules[path_name] = found = module_from_spec(spec)
    try:
        spec.loader.exec_module(found)
    except BaseException:
        sys.modules.pop(path_name, None)
        raise
    return found


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ModuleNotFoundError as exc:
        if not is_module_missing(name, exc):
            raise
        return None


def _find(module_path: str, attribute: str, module: ModuleType) -> object:
    owner: object = module
    for part in attribute.split("."):
        try:
            owner = getattr(owner, part)
        except AttributeError as exc:
            raise missing_handler(module_path, attribute, part, owner) from exc
        except Exception as exc:
            raise user_code_failure(exc) from exc
    return owner
