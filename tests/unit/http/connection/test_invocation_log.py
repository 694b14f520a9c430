"""Who may read the log of an invocation."""

from types import SimpleNamespace

import pytest
from unit.triggers.heads import head_of

from gateway.http.connection.invocation_log import wants_tail

TAIL = ("X-Fc-Log-Type", "Tail")
ASYNC = ("X-Fc-Invocation-Type", "Async")


@pytest.mark.parametrize(
    ("readers", "is_authenticated", "is_shown"),
    [
        ("nobody", False, False),
        ("nobody", True, False),
        ("authenticated", False, False),
        ("authenticated", True, True),
        ("everybody", False, True),
        ("everybody", True, True),
    ],
)
def test_readers(readers, is_authenticated, is_shown):
    log = SimpleNamespace(tail_readers=readers)

    def asks(*fields):
        head = head_of("/", "GET", list(fields))
        return wants_tail(SimpleNamespace(head=head, is_authenticated=is_authenticated), log)

    assert asks(TAIL) is is_shown
    assert not asks()
    assert not asks(TAIL, ASYNC)  # Its answer comes before there is a log.
    assert not wants_tail(SimpleNamespace(head=None, is_authenticated=is_authenticated), log)
