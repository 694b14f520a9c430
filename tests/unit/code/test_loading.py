"""Loading a target: what each form finds, and what each mistake is called."""

import sys
from textwrap import dedent

import pytest

from gateway.code.loading import LoadError, load, load_hook
from gateway.errors import UsageError

HANDLER = """
def handler(environ, start_response):
    start_response("200 OK", [])
    return [__name__.encode()]
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Writes files into a code folder that is first on sys.path."""
    modules = sys.modules.copy()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(**files):
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        return tmp_path

    yield write
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]


def error_of(target):
    with pytest.raises(LoadError) as caught:
        load(target)
    error = caught.value
    assert isinstance(error, UsageError)
    text = str(error)
    assert text == f"{error.message}: {error.cause} [{error.error_type}]"
    assert text.isprintable()
    return error


# --- forms -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("first.py", "first.handler"),
        ("first.py", "first:handler"),
        ("first.py", "./first.handler"),
        ("pkg/second.py", "pkg.second.handler"),
        ("pkg/second.py", "pkg.second:handler"),
        ("pkg/second.py", "pkg/second.handler"),
        ("pkg/second.py", "pkg/second:handler"),
        ("pkg/sub/third.py", "pkg/sub/third:handler"),
        ("pkg/sub/third.py", "pkg/sub.third.handler"),
        ("pkg/sub/third.py", "pkg.sub.third.handler"),
        ("pkg/__init__.py", "pkg.handler"),
        ("pkg/sub/__init__.py", "pkg/sub.handler"),
        ("my-folder/my-index.py", "my-folder/my-index.handler"),
    ],
)
def test_forms(code, file, target):
    code(**{file: HANDLER})
    handler = load(target)
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert handler({}, lambda status, headers: None) == [name.encode()]
    assert sys.modules[name].handler is handler


def test_a_dotted_attribute(code):
    site = "class site:\n    class app: ...\n"
    code(**{"first.py": f"{site}{HANDLER}\nsite.wsgi = handler"})
    assert load("first:site.wsgi").__name__ == "handler"


def test_a_module_is_run_once(code):
    code(**{"first.py": f"runs = []\nruns.append(1)\n{HANDLER}"})
    assert load("first.handler") is load("./first:handler")
    assert sys.modules["first"].runs == [1]


def test_a_package_with_relative_imports(code):
    code(
        **{
            "pkg/__init__.py": "",
            "pkg/app.py": "from .parts import handler",
            "pkg/parts.py": HANDLER,
        }
    )
    assert load("pkg/app.handler").__module__ == "pkg.parts"


@pytest.mark.parametrize(
    ("file", "target"),
    [
        ("v1.0/index.py", "v1.0/index.handler"),
        ("code/index.py", "code/index.handler"),
        ("code/index.py", "code.index.handler"),
        ("email/message.py", "email/message.handler"),
        ("xml/index/__init__.py", "xml/index.handler"),
    ],
)
def test_the_path_decides_where_the_name_is_taken(code, file, target):
    code(**{file: HANDLER})
    import email.message  # noqa: PLC0415

    folder, _, rest = file.partition("/")
    name = f"{folder}/{rest.removesuffix('.py').removesuffix('/__init__')}"
    handler = load(target)
    assert handler({}, lambda status, headers: None) == [name.encode()]
    assert load(target) is handler
    assert sys.modules["email.message"] is email.message


# --- targets that name nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "",
        "index",
        ".",
        ":",
        "index.",
        "index:",
        ".handler",
        ":handler",
        "folder/index",
        "v1.0/index",
        "..index.handler",
        "../index.handler",
        "a//b.handler",
        "/code/index.handler",
        "index:create_app(config)",
        "index:create_app().wsgi",
        "index:1()",
        "index:app.",
        "index:1",
        "index.han-dler",
        "ind\nex.handler",
    ],
)
def test_a_malformed_target(code, target):
    error = error_of(target)
    assert error.error_type == "InvalidHandleName"
    assert error.message == f"Invalid handler '{' '.join(target.split())}'"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("None", "'handler' is None, which"),
        ("{}", "an object of type 'dict'"),
        ("__import__('json')", "is a module"),
    ],
)
def test_not_callable(code, value, words):
    code(**{"first.py": f"handler = {value}"})
    error = error_of("first.handler")
    assert error.error_type == "InvalidHandleName"
    assert error.message == "Invalid handler 'first.handler'"
    assert words in error.cause


# --- modules that are missing ------------------------------------------------------------------


@pytest.mark.parametrize("target", ["absent.handler", "absent:handler"])
def test_a_missing_module(code, target):
    folder = code()
    error = error_of(target)
    assert error.error_type == "ImportModuleError"
    assert error.message == "Unable to import module 'absent'"
    assert error.cause == f"no absent.py in {folder}; --chdir sets the folder"
    assert isinstance(error.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize("module", ["pkg.absent", "pkg/absent", "absent/sub.index"])
def test_a_missing_module_in_a_folder(code, module):
    folder = code(**{"pkg/__init__.py": ""})
    error = error_of(f"{module}.handler")
    assert error.message == f"Unable to import module '{module}'"
    assert error.cause == f"no {module.replace('.', '/')}.py in {folder}; --chdir sets the folder"


def test_the_ending_is_not_part_of_the_module(code):
    code(**{"first.py": HANDLER})
    assert error_of("first.py:handler").cause == "leave out the ending: 'first:handler'"


def test_a_part_of_a_module_in_the_dotted_form(code):
    code(**{"first.py": HANDLER})
    cause = error_of("first.app.wsgi").cause
    assert cause == "'first' is no package; for a part of it write 'first:app.wsgi'"


def test_a_module_whose_name_is_taken(code):
    code(**{"json.py": HANDLER})
    error = error_of("json.handler")
    assert error.error_type == "ImportModuleError"
    assert error.cause.startswith("'json' is /")
    assert error.cause.endswith("; rename json.py")


def test_a_module_whose_name_is_built_in(code):
    code(**{"sys.py": HANDLER})
    assert error_of("sys.handler").cause == "'sys' is a part of Python; rename sys.py"


def test_a_missing_dependency(code):
    folder = code(**{"first.py": "import os\n\nimport absent_library.part\n"})
    error = error_of("first.handler")
    assert error.error_type == "ImportModuleError"
    assert error.message == "Unable to import module 'first'"
    assert error.cause == (
        f"it imports 'absent_library', which is neither installed nor in {folder} at first.py:3"
    )


@pytest.mark.parametrize("target", ["pkg.app.handler", "pkg/app.handler"])
def test_a_missing_dependency_of_the_package_in_its_own_name(code, target):
    # The package itself lacks what the target asks for, but it is the package that asks first.
    code(**{"pkg/__init__.py": "\nimport pkg.app.part", "pkg/app.py": HANDLER})
    error = error_of(target)
    assert error.cause.startswith("it imports 'pkg.app.part'")
    assert error.cause.endswith("pkg/__init__.py:2")


def test_a_name_that_a_dependency_lacks(code):
    code(**{"first.py": "from json import absent"})
    error = error_of("first.handler")
    assert error.error_type == "ImportModuleError"
    assert "cannot import name 'absent' from 'json'" in error.cause
    assert error.cause.endswith(" at first.py:1")


# --- modules that fail -------------------------------------------------------------------------


def test_a_syntax_error(code):
    code(**{"first.py": "x = 1\ndef handler(:\n    pass\n"})
    error = error_of("first.handler")
    assert error.error_type == "UserCodeSyntaxError"
    assert error.message == "Syntax error in module 'first'"
    assert error.cause == "invalid syntax at first.py:2"
    assert isinstance(error.__cause__, SyntaxError)


def test_a_syntax_error_in_what_the_module_imports(code):
    code(**{"first.py": "import second", "second.py": "\n\nx = ("})
    assert error_of("first.handler").cause == "'(' was never closed at second.py:3"


def test_a_syntax_error_in_a_text_that_the_module_compiles(code):
    code(**{"first.py": "\neval('1 +')"})
    assert error_of("first.handler").cause == "invalid syntax at first.py:2"


@pytest.mark.parametrize(
    ("statement", "text", "cause"),
    [
        ("raise ValueError('bad\\nvalue')", "bad value", "ValueError at first.py:3"),
        ("raise ValueError", "ValueError", "ValueError at first.py:3"),
        ("1 / 0", "division by zero", "ZeroDivisionError at first.py:3"),
        ("import json; json.loads('{')", None, "JSONDecodeError at first.py:3"),
        ("raise RuntimeError('\\x1b[31m' + 'x' * 9999)", None, "RuntimeError at first.py:3"),
        (
            "import sys; sys.exit(3)",
            "3",
            "SystemExit at first.py:3; the module ends the process while it is imported",
        ),
        ("raise GeneratorExit('leave')", "leave", "GeneratorExit at first.py:3"),
        ("raise type('Odd', (BaseException,), {})('odd')", "odd", "Odd at first.py:3"),
        (
            "raise type('Mute', (Exception,), {'__str__': lambda self: 1})",
            "<Mute without a text>",
            "Mute at first.py:3",
        ),
    ],
)
def test_an_exception_in_the_module(code, statement, text, cause):
    code(**{"first.py": f"\n\n{statement}"})
    error = error_of("first.handler")
    assert error.error_type == "UserCodeError"
    if text is not None:
        assert error.message == f"Module initialization error: '{text}'"
    assert error.cause == cause
    assert error.__cause__ is not None
    assert type(error.__cause__).__name__ in cause
    assert len(str(error)) < 500


@pytest.mark.parametrize("target", ["v1.0/first.handler", "pkg/first.handler"])
def test_a_module_that_fails_is_forgotten(code, target):
    folder, _, _ = target.partition("/")
    code(**{f"{folder}/first.py": "1 / 0"})
    for _ in range(2):
        assert error_of(target).cause == f"ZeroDivisionError at {folder}/first.py:1"
    assert not [name for name in sys.modules if name.endswith("first")]


def test_a_package_that_fails_on_the_way(code):
    code(**{"pkg/__init__.py": "1 / 0", "pkg/first.py": HANDLER})
    error = error_of("pkg/first.handler")
    assert error.error_type == "UserCodeError"
    assert error.cause == "ZeroDivisionError at pkg/__init__.py:1"


def test_an_interrupt_passes_through(code):
    code(**{"first.py": "raise KeyboardInterrupt"})
    with pytest.raises(KeyboardInterrupt):
        load("first.handler")


# --- handlers that are missing -----------------------------------------------------------------


def test_a_missing_handler_with_a_near_name(code):
    code(**{"first.py": HANDLER})
    error = error_of("first.handle")
    assert error.error_type == "HandlerNotFound"
    assert error.message == "Handler 'handle' is missing on module 'first'"
    assert error.cause == "first.py has no 'handle'; did you mean 'handler'?"
    assert isinstance(error.__cause__, AttributeError)


def test_a_missing_handler_lists_what_the_module_itself_has(code):
    code(
        **{
            "first.py": """
            from json import dumps
            from pathlib import Path
            from typing import Any, Callable
            from flask import Flask
            application = Flask("first")
            class Entry: ...
            def _hidden(): ...
            number = 1
            Alias, Old, Pairs = Callable[..., int], Any, list[tuple]
            """
        }
    )
    assert error_of("first.x").cause == "first.py has Entry, application"


def test_a_long_list_is_cut(code):
    code(**{"first.py": "\n".join(f"def f{n}(): ..." for n in range(10))})
    assert error_of("first.x").cause == "first.py has f0, f1, f2, f3, f4, f5, …"


def test_a_module_without_callables(code):
    code(**{"first.py": "x = 1", "pkg/part.py": ""})
    assert error_of("first.handler").cause == "first.py has no callable"
    assert error_of("pkg.handler").cause == "package 'pkg' has no callable"


def test_a_missing_part_of_a_dotted_attribute(code):
    code(**{"first.py": "class App:\n    def wsgi(self): ...\napp = App()"})
    error = error_of("first:app.wsgy")
    assert error.message == "Handler 'app.wsgy' is missing on module 'first'"
    assert error.cause == "an object of type 'App' has no 'wsgy'; did you mean 'wsgi'?"


def test_an_attribute_that_fails(code):
    code(**{"first.py": "def __getattr__(name):\n    return {}[name]"})
    error = error_of("first.handler")
    assert error.error_type == "UserCodeError"
    assert error.message == "Module initialization error: 'handler'"
    assert error.cause == "KeyError at first.py:2"


# --- hooks ----------------------------------------------------------------------------------------


HOOKS = """
import functools
def plain(context): return context
def optional(context, more=None): return context
def anything(*arguments): return arguments[0]
class Object:
    def __call__(self, context): return context
    def method(self, context): return context
instance = Object()
method = instance.method
bound = functools.partial(lambda first, context: context, 1)
def none(): ...
def two(first, second): ...
async def coroutine(context): ...
async def generator(context): yield
class Async:
    async def __call__(self, context): ...
asynchronous = Async()
constant = 1
"""


@pytest.mark.parametrize(
    "name", ["plain", "optional", "anything", "instance", "method", "bound", "instance.method"]
)
def test_hooks(code, name):
    code(**{"hooks.py": HOOKS})
    context = object()
    assert load_hook(f"hooks:{name}", "--pre-stop")(context) is context


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "Invalid handler 'hooks:none': it takes (), not (context)"),
        ("two", "Invalid handler 'hooks:two': it takes (first, second), not (context)"),
        ("coroutine", "Invalid handler 'hooks:coroutine': it is async, and a hook is a plain"),
        ("generator", "Invalid handler 'hooks:generator': it is async"),
        ("asynchronous", "Invalid handler 'hooks:asynchronous': it is async"),
        ("constant", "Invalid handler 'hooks:constant': 'constant' is an object of type 'int'"),
        ("nothing", "Handler 'nothing' is missing on module 'hooks': hooks.py has"),
    ],
)
def test_no_hooks(code, name, words):
    code(**{"hooks.py": HOOKS})
    with pytest.raises(LoadError) as caught:
        load_hook(f"hooks:{name}", "--pre-stop")
    assert str(caught.value).startswith(f"--pre-stop: {words}")
    assert "\n" not in str(caught.value)
