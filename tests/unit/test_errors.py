"""The refusals: each complete by itself, and the page that lists them up to date."""

import importlib.util
import json
import re
from http import HTTPStatus
from pathlib import Path

import pytest

from gateway import errors
from gateway.code import load_errors
from gateway.config.options import OPTIONS
from gateway.errors import ClientDisconnected, CodeError, Refusal, UsageError
from gateway.fc import errors as function_errors
from gateway.fc import names

DOCS = Path(__file__).parents[2] / "docs"

specification = importlib.util.spec_from_file_location("errors_page", DOCS / "errors_page.py")
page = importlib.util.module_from_spec(specification)
specification.loader.exec_module(page)

REFUSALS = page.refusals()


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_is_a_whole_answer(kind):
    refusal = kind('the "message"')
    assert str(refusal) == refusal.message == 'the "message"'
    assert HTTPStatus(kind.status) >= 400
    assert kind.code.isidentifier()
    assert json.loads(refusal.body()) == {
        "ErrorCode": kind.code,
        "ErrorMessage": 'the "message"',
    }
    fields = dict(refusal.headers())
    assert len(fields) == len(refusal.headers())
    assert fields["Content-Type"] == "application/json"
    assert fields["X-Fc-Error-Type"] in (names.FC_COMMON_ERROR, names.UNHANDLED_INVOCATION_ERROR)
    assert fields.get("Retry-After") == (kind.retry_after and str(kind.retry_after))
    assert all(f"{name}{value}".isprintable() for name, value in fields.items())


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_says_when_it_is_meant(kind):
    assert kind.__doc__ is not Refusal.__doc__
    assert kind.__doc__.strip().endswith(".")
    assert "|" not in kind.__doc__


def test_who_may_come_again_is_told_when():
    for kind in REFUSALS:
        assert (kind.status in (429, 503)) == (kind.retry_after is not None)


def test_all_errors_are_exceptions_of_one_kind():
    found = {value for value in vars(errors).values() if isinstance(value, type)}
    assert {kind for kind in found if issubclass(kind, Exception)} == {
        *REFUSALS, Refusal, UsageError, CodeError, ClientDisconnected,
    }  # fmt: skip
    assert issubclass(ClientDisconnected, ConnectionError), "handlers know this one"


# --- the page ----------------------------------------------------------------------------------


def test_the_page_in_docs_is_up_to_date():
    assert (DOCS / "errors.md").read_text(encoding="utf-8") == page.render_errors(), (
        "run: make docs"
    )


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_row(kind):
    rows = [row for row in page.render_errors().splitlines() if row.startswith(f"| {kind.status} ")]
    when = " ".join(kind.__doc__.split())
    assert sum(f"`{kind.code}`" in row and when in row for row in rows) == 1


def test_the_page_names_nothing_that_is_not_there():
    assert page._ADVICE.keys() == {kind.__name__ for kind in REFUSALS}
    words = page.render_errors().replace("`", " ").replace(",", " ").replace(")", " ").split()
    named = {word.removeprefix("--no-").removeprefix("--") for word in words if word[:2] == "--"}
    named = {name.strip("(;.:").replace("-", "_") for name in named}
    assert named - {"", "_", "-"} <= OPTIONS.keys()
    assert len(named) > 5


def test_every_row_has_as_many_cells_as_its_heading():
    for table in page.render_errors().split("\n\n"):
        rows = [row for row in table.splitlines() if row.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1


def test_load_errors_are_as_the_page_says():
    found = [
        load_errors.import_failure("m", "h", ImportError("x")),
        load_errors.import_failure("m", "h", SyntaxError("x")),
        load_errors.import_failure("m", "h", ValueError("x")),
        load_errors.missing_handler("m", "h", "h", object()),
        load_errors.invalid_handler("t", "c"),
    ]
    for error, (message, error_type, _) in zip(found, page._LOAD_ERRORS, strict=True):
        assert error.error_type == error_type
        assert re.sub("'.*?'", "…", error.message).startswith(message)


def test_function_errors_are_as_the_page_says():
    body = json.loads(function_errors.exception_body(KeyError("x"), has_stack=False))
    assert body == {"errorMessage": "'x'", "errorType": "KeyError", "stackTrace": []}
    assert json.loads(function_errors.timeout_body(2.0)) == {
        "errorMessage": "Function time out after 2 seconds"
    }
    assert function_errors.STATUS == 502
    assert ("X-Fc-Error-Type", "UnhandledInvocationError") in function_errors.HEADERS


@pytest.mark.parametrize(("depth", "shown"), [(98, 99), (99, 100), (100, 100), (500, 100)])
def test_a_deep_stack_is_shown_with_its_two_ends(depth, shown):
    def recurse(left):
        if not left:
            raise KeyError("x")
        recurse(left - 1)

    try:
        recurse(depth)
    except KeyError as error:
        error.__traceback__ = error.__traceback__.tb_next  # Without this test's own frame.
        body = json.loads(function_errors.exception_body(error, has_stack=True))
    stack = body["stackTrace"]
    assert len(stack) == min(depth + 1, 100) == shown
    assert stack[0][1].startswith("recurse(left - 1)")
    assert stack[-1][1].startswith("raise KeyError")
