"""Which requests are for Function Compute's API, and never for a handler."""

import pytest

from gateway.http.answers.api_path import is_operation, unserved, unserved_but_invocations

FUNCTIONS = [
    "/2016-08-15/services/svc/functions/fn",
    "/2016-08-15/services/svc.prod/functions/fn",
    "/2021-04-06/services/svc/functions/fn",
    "/2023-03-30/functions/fn",
]
OPERATIONS = ["invocations", "stateful-async-invocations", "async-tasks"]
TASKS = [
    "/stateful-async-invocations",
    "/stateful-async-invocations/a-task",
    "/async-tasks",
    "/async-tasks/a-task",
    "/async-tasks/a-task/stop",
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("path", TASKS)
def test_tasks_are_not_served(function, path, method):
    for judge in (unserved, unserved_but_invocations):
        refusal = judge(method, f"{function}{path}?limit=1")
        assert refusal.message == f"'{method}' against '{function}{path}' is not supported"
        assert (refusal.status, refusal.plain_status) == (400, 404)
        assert refusal.code == "PathNotSupported"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_invocations_are_served_where_there_is_an_event_handler(function):
    target = f"{function}/invocations"
    assert unserved_but_invocations("POST", target) is None
    assert unserved("POST", target) is not None
    for method in ("GET", "PUT"):
        assert unserved_but_invocations(method, target) is not None
    for more in ("/", "/x", "/x/y"):
        assert unserved_but_invocations("POST", target + more) is not None


@pytest.mark.parametrize(
    "target",
    [
        "/2016-08-15/services/1bad/functions/fn/invocations",
        "/2021-04-06/services//functions//invocations",
        "/2023-03-30/functions/a%0Ab/invocations",
        "/2023-03-30/functions/fn/invocations?qualifier=a+b",
        "/2023-03-30/functions/fn/%69nvocations",
        "/2016-08-15/services/svc/%66unctions/fn/async-tasks",
    ],
)
def test_names_that_are_none_do_not_make_it_the_handler_s(target):
    assert unserved_but_invocations("POST", target) is not None


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "*",
        "",
        "/invocations",
        "/2016-08-15/proxy/svc/fn/invocations",
        "/2016-08-15/proxy/svc/fn/async-tasks",
        "/2016-08-15/services/svc",
        "/2016-08-15/services/svc/functions/fn",
        "/2016-08-15/services/svc/functions/fn/triggers",
        "/2016-08-15/services/svc/function/fn/invocations",
        "/2016-08-15/functions/fn/invocations",
        "/2023-03-30/services/svc/functions/fn/invocations",
        "/2023-03-30/functions/fn",
        "/2023-03-30/functions/fn/Invocations",
        "/2024-01-01/functions/fn/invocations",
        "/x/2023-03-30/functions/fn/invocations",
        "//2023-03-30/functions/fn/invocations",
        "/?/2023-03-30/functions/fn/invocations",
    ],
)
def test_other_paths_are_the_handler_s(target):
    assert not is_operation(target)
    assert unserved("POST", target) is None
    assert unserved_but_invocations("POST", target) is None


def test_a_long_path_is_cut_in_the_answer():
    assert len(unserved("GET", "/2023-03-30/functions/fn/async-tasks/" + "a" * 4000).message) < 300
