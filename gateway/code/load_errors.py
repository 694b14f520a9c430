"""The errors for a handler that cannot be loaded.

Each is one line: Function Compute's message, the cause and the mend, and at the end Function
Compute's name of the error.
"""

import difflib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from gateway.code.user_trace import user_trace
from gateway.errors import CodeError
from gateway.fc import names

_MAX_CHARACTERS = 300
_MAX_LISTED = 6
_ALIASES = {"collections.abc", "types", "typing"}  # hold the types of `Callable[..., int]` and such
_CALLERS = {"gateway.code.loading", "gateway.factories"}
_IMPORT_SYSTEM = {"importlib", "_frozen_importlib", "_frozen_importlib_external"}


class LoadError(CodeError):
    """A handler that cannot be loaded; the text is one line.

    `error_type` and `message` are Function Compute's ("errorType" and "errorMessage" in its
    response); `cause` adds what a developer needs at the console.
    """

    def __init__(self, error_type: str, message: str, cause: str) -> None:
        super().__init__(f"{message}: {cause} [{error_type}]")
        self.error_type = error_type
        self.message = message
        self.cause = cause

    @property
    def details(self) -> list[str]:
        """The place in the user's code: the chain of imports, or the line itself."""
        return user_trace(self.__cause__)


def code_folder() -> Path:
    """The folder of the user's code: first on `sys.path`."""
    return Path(sys.path[0] if sys.path else "").resolve()


def invalid_handler(target: str, cause: str) -> LoadError:
    """The error for a target that is malformed or does not name a usable handler."""
    return LoadError(names.INVALID_HANDLE_NAME, f"Invalid handler '{_one_line(target)}'", cause)


def import_failure(module: str, attribute: str, exc: BaseException) -> LoadError:
    """The error for `exc`, raised by the import of `module`, which is spelled as in the target."""
    if isinstance(exc, ImportError):
        return LoadError(
            names.IMPORT_MODULE_ERROR,
            f"Unable to import module '{module}'",
            _import_cause(module, attribute, exc),
        )
    if isinstance(exc, SyntaxError):
        return LoadError(
            names.USER_CODE_SYNTAX_ERROR,
            f"Syntax error in module '{module}'",
            _one_line(exc.msg) + _syntax_place(exc),
        )
    return user_code_failure(exc)


def user_code_failure(exc: BaseException) -> LoadError:
    """The error for `exc`, which the user's code raised while it was loaded."""
    cause = type(exc).__name__ + _place(exc)
    if isinstance(exc, SystemExit):
        cause += "; the module ends the process while it is imported"
    text = _one_line(exc) or type(exc).__name__
    return LoadError(names.USER_CODE_ERROR, f"Module initialization error: {_quoted(text)}", cause)


def factory_failure(target: str, exc: BaseException) -> LoadError:
    """The factory that `target` names raised `exc`."""
    text = _one_line(exc) or type(exc).__name__
    cause = f"{type(exc).__name__}{_place(exc)}, from {_one_line(target)!r} called as a factory"
    return LoadError(names.USER_CODE_ERROR, f"Module initialization error: {_quoted(text)}", cause)


def initializer_failure(place: str, target: str, exc: BaseException) -> LoadError:
    """The error for an initializer `target`, set at `place`, that raised `exc` or timed out."""
    text = _one_line(exc) or type(exc).__name__
    return LoadError(
        names.USER_CODE_ERROR,
        f"{place}: Function initialization error: {_quoted(text)}",
        f"{type(exc).__name__}{_place(exc)} from {target!r}",
    )


def missing_handler(module: str, attribute: str, part: str, owner: object) -> LoadError:
    """The error if `owner`, `module` or an object in it, lacks the `part` of a dotted
    `attribute`."""
    if isinstance(owner, ModuleType):
        file = owner.__file__
        what = _shown(file) if file else f"package {owner.__name__!r}"
    else:
        what = describe(owner)
    found = _callables(owner)
    if not found:
        cause = f"{what} has no callable"
    elif close := difflib.get_close_matches(part, found, n=1):
        cause = f"{what} has no {part!r}; did you mean {close[0]!r}?"
    else:
        more = ", …" if len(found) > _MAX_LISTED else ""
        cause = f"{what} has {', '.join(found[:_MAX_LISTED])}{more}"
    message = f"Handler '{attribute}' is missing on module '{module}'"
    return LoadError(names.HANDLER_NOT_FOUND, message, cause)


def is_module_missing(name: str, exc: ImportError) -> bool:
    """Whether module `name` itself is missing, not one that it imports."""
    if not isinstance(exc, ModuleNotFoundError) or exc.name is None:
        return False
    # User code in the traceback means that a module was found and has run.
    return f"{name}.".startswith(f"{exc.name}.") and not _user_lines(exc)


def describe(value: object) -> str:
    """A description of `value` for a sentence."""
    if value is None:
        return "None"
    if isinstance(value, ModuleType):
        return "a module"
    return f"an object of type {type(value).__name__!r}"


def _import_cause(module: str, attribute: str, exc: ImportError) -> str:
    name = module.replace("/", ".")
    if not is_module_missing(name, exc):
        if isinstance(exc, ModuleNotFoundError) and exc.name is not None:
            lack = f"it imports {exc.name!r}, which is neither installed nor in {code_folder()}"
            return lack + _place(exc)
        return _one_line(exc) + _place(exc)
    if name.endswith(".py"):
        return f"leave out the ending: '{module.removesuffix('.py')}:{attribute}'"
    parent = (exc.name or "").rpartition(".")[0]
    if parent in sys.modules and not hasattr(sys.modules[parent], "__path__"):
        rest = name.removeprefix(f"{parent}.")
        return f"{parent!r} is no package; for a part of it write '{parent}:{rest}.{attribute}'"
    return f"no {name.replace('.', '/')}.py in {code_folder()}; --chdir sets the folder"


def _syntax_place(exc: SyntaxError) -> str:
    # "<string>" and the like are texts that the module compiles; its own line says more.
    if not exc.filename or exc.filename.startswith("<"):
        return _place(exc)
    line = f":{exc.lineno}" if exc.lineno else ""
    return f" at {_shown(exc.filename)}{line}"


def _place(exc: BaseException) -> str:
    """The line of the user's code that raised `exc`, or the innermost line of other code."""
    lines = _user_lines(exc)
    if not lines:
        return ""
    folder = code_folder()
    own = [
        (file, line)
        for file, line in lines
        if Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts
    ]
    file, line = own[-1] if own else lines[-1]
    return f" at {_shown(file)}:{line}"


def _user_lines(exc: BaseException) -> list[tuple[str, int]]:
    """File and line of each call in the traceback without the import system, outermost first."""
    lines = []
    traceback = exc.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in _IMPORT_SYSTEM and name not in _CALLERS:
            lines.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return lines


def _callables(owner: object) -> list[str]:
    """The public callables of `owner`, without those that a module imports."""
    home = owner.__name__ if isinstance(owner, ModuleType) else None
    found = []
    for name, value in inspect.getmembers_static(owner):
        if name.startswith("_") or not callable(value) or type(value).__module__ in _ALIASES:
            continue
        is_definition = inspect.isroutine(value) or inspect.isclass(value)
        if home is None or not is_definition or getattr(value, "__module__", None) == home:
            found.append(name)
    return found


def _shown(file: str) -> str:
    path, folder = Path(file), code_folder()
    return _one_line(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _quoted(text: str) -> str:
    """`text` in quotes, unless it has quotes, as the text of a KeyError does."""
    return text if len(text) > 1 and text[0] == text[-1] == "'" else f"'{text}'"


def _one_line(value: object) -> str:
    """The text of `value` as one bounded, printable line."""
    try:
        text = str(value)
    except Exception:
        return f"<{type(value).__name__} without a text>"
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"
