"""A trigger: in which order it looks."""

from types import SimpleNamespace

import pytest
from unit.triggers.heads import head_of

from gateway.errors import MethodNotAllowed, SignatureNotMatch
from gateway.triggers.cors import Cors
from gateway.triggers.trigger import Trigger

PREFLIGHT = [("Origin", "https://a"), ("Access-Control-Request-Method", "PUT")]


class Nobody:
    """Lets nobody in."""

    loop = None

    def start(self, loop):
        self.loop = loop

    def check(self, head, *, may_defer):
        raise SignatureNotMatch("no")


class Somebody(Nobody):
    """Knows who calls, once it has looked twice."""

    def check(self, head, *, may_defer):
        return object() if may_defer else None


def ask(trigger, method="GET", fields=()):
    exchange = SimpleNamespace(head=head_of("/", method, list(fields)), is_authenticated=False)
    try:
        return trigger.check(exchange, may_defer=True)
    except (MethodNotAllowed, SignatureNotMatch) as refusal:
        return type(refusal)


def test_methods():
    trigger = Trigger(methods=("GET", "POST"))
    assert ask(trigger, "GET") is None
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        with pytest.raises(MethodNotAllowed) as caught:
            trigger.check(SimpleNamespace(head=head_of("/", method)), may_defer=True)
        assert caught.value.plain_fields == (("Allow", "GET, POST"),)
    assert ask(Trigger(), "PATCH") is None


def test_the_method_comes_before_the_credential():
    trigger = Trigger(methods=("GET",), authentication=Nobody())
    assert ask(trigger, "GET") is SignatureNotMatch
    assert ask(trigger, "PUT") is MethodNotAllowed


def test_a_preflight_comes_before_both():
    trigger = Trigger(methods=("GET",), authentication=Nobody(), cors=Cors())
    answer = ask(trigger, "OPTIONS", PREFLIGHT)
    assert answer[0].status.code == 200
    assert ask(trigger, "OPTIONS") is MethodNotAllowed
    assert ask(Trigger(authentication=Nobody()), "OPTIONS", PREFLIGHT) is SignatureNotMatch


def test_a_preflight_is_the_handler_s_where_its_trigger_has_options():
    assert ask(Trigger(methods=("OPTIONS",), cors=Cors()), "OPTIONS", PREFLIGHT) is None
    assert ask(Trigger(cors=Cors()), "OPTIONS", PREFLIGHT) is not None


def test_who_is_let_in_is_known_only_by_a_credential():
    def is_known(trigger, *, may_defer=False, method="GET"):
        exchange = SimpleNamespace(head=head_of("/", method), is_authenticated=False)
        trigger.check(exchange, may_defer=may_defer)
        return exchange.is_authenticated

    assert is_known(Trigger(authentication=Somebody()))
    assert not is_known(Trigger(authentication=Somebody()), may_defer=True)  # Not yet.
    assert not is_known(Trigger(methods=("GET",), cors=Cors()))


@pytest.mark.parametrize("authentication", [None, Nobody()])
def test_it_begins_on_the_loop(authentication):
    loop = object()
    Trigger(authentication=authentication).start(loop)
    assert authentication is None or authentication.loop is loop
