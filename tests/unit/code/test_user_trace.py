"""The stack that is shown to the operator: the user's frames, and no others."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.code.loading import LoadError, load, load_hook
from gateway.code.user_trace import _MAX_LINES, user_trace


@pytest.fixture
def details(tmp_path, monkeypatch):
    """What is shown of a target that cannot be loaded, from files."""

    def of(target="index.handler", find=load, **files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(dedent(text), "utf-8")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        before = {*sys.modules}
        try:
            with pytest.raises(LoadError) as caught:
                find(target)
        finally:
            for name in {*sys.modules} - before:
                del sys.modules[name]
        lines = "\n".join(caught.value.details).replace(str(tmp_path), ".").splitlines()
        return [line.strip() for line in lines if not {*line.strip()} <= {"~", "^"}]

    return of


def test_the_chain_of_imports(details):
    lines = details(
        index="from shop.views import handler",
        shop__views="from shop import services\n",
        shop__services='TABLE = {}\nHOST = TABLE["host"]\n',
    )
    assert lines == [
        "Traceback (most recent call last):",
        'File "./index.py", line 1, in <module>',
        "from shop.views import handler",
        'File "./shop/views.py", line 1, in <module>',
        "from shop import services",
        'File "./shop/services.py", line 2, in <module>',
        'HOST = TABLE["host"]',
        "KeyError: 'host'",
    ]


def test_a_syntax_error_has_its_place(details):
    lines = details(index="def x(:\n")
    assert lines[:2] == ['File "./index.py", line 1', "def x(:"]
    assert lines[-1].startswith("SyntaxError: ")


def test_what_led_to_it_is_shown_too(details):
    lines = details(
        index="""
            import importlib
            try:
                importlib.import_module("inner")
            except ValueError as error:
                raise RuntimeError("outer") from error
        """,
        inner="raise ValueError('inner')",
    )
    assert "ValueError: inner" in lines
    assert lines[-1] == "RuntimeError: outer"
    assert not [line for line in lines if "importlib/" in line or "gateway" in line]


def test_hooks_have_it(details):
    lines = details(find=lambda target: load_hook(target, "--initializer"), index="1 / 0")
    assert lines[-1] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "target", ["no.handler", "index.missing", "index", "index.value", "index.two.three"]
)
def test_where_no_code_of_the_user_s_has_failed_there_is_none(details, target):
    assert details(target, index="value = 1\ntwo = 2\n") == []


def test_it_has_an_end(details):
    lines = details(index="def f(n):\n    g(n)\ndef g(n):\n    f(n)\nf(1)")
    assert len(lines) <= _MAX_LINES + 1
    assert "RecursionError" in lines[-1]


def test_exceptions_that_cannot_be_told():
    class Bad(Exception):
        def __str__(self):
            raise SystemExit

    with pytest.raises(Bad) as caught:
        raise Bad
    assert any(Path(__file__).name in line for line in user_trace(caught.value))
    assert user_trace(None) == []
