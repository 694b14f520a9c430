"""No object of the gateway shows a secret when it is printed, as in debuggers and trackers."""

import pytest
from unit.http.conftest import PendingInput
from unit.http.wire import ManualLoop, Wire

from gateway.asgi.adapter import AsgiApplication
from gateway.container.platform_context import PlatformContexts
from gateway.fc.context import FCContext, context_template
from gateway.http.body.body import BodyBudget
from gateway.http.connection.shared_state import SharedState, Timeouts
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits
from gateway.proxies.forwarded import TrustedProxies
from gateway.proxies.networks import Networks
from gateway.proxies.proxy_protocol import ProxyProtocol
from gateway.wsgi.invocation import Invocation
from gateway.wsgi.runner import WsgiRunner

pytestmark = pytest.mark.family("secrets")

CANARY = "C4nAry"
REQUEST = (
    f"POST /a?Signature={CANARY} HTTP/1.1\r\nHost: a\r\nAuthorization: {CANARY}\r\n"
    f"Cookie: {CANARY}\r\nContent-Length: 20\r\n\r\n{CANARY}"
).encode()
CREDENTIALS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": CANARY,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": CANARY,
    "ALIBABA_CLOUD_SECURITY_TOKEN": CANARY,
}


SECRET_FIELDS = {
    b"x-fc-access-key-id": CANARY.encode(),
    b"x-fc-access-key-secret": CANARY.encode(),
    b"x-fc-security-token": CANARY.encode(),
}


def handler(environ, start_response):
    raise AssertionError("nobody calls it")


def objects():
    """One of each kind that has come near a secret."""
    template = context_template(
        environ=CREDENTIALS, function_name="f", handler="a:b", memory=1, timeout=1, service_name=""
    )
    context = FCContext("request-1", template)
    addressed = template.addressed_context("request-1", "service", "", "function")
    application = PendingInput()
    site = SharedState(
        loop=ManualLoop(),
        application=application,
        limits=Limits(),
        timeouts=Timeouts(),
        budget=BodyBudget(1 << 20),
        next_request_id=lambda: "request-1",
        proxies=TrustedProxies(Networks(["*"]), ["x-forwarded-for"]),
    )
    wire = Wire(site)
    wire.send(REQUEST)
    waiting = repr(wire.connection), repr(wire.exchange)  # The body is on its way.
    wire.send(CANARY.encode() * 4)
    (exchange,) = application
    door = ProxyProtocol(Networks(["*"]))
    first = door.new_protocol(site)
    first._data = REQUEST
    parser = HeadParser(site.names, Limits())
    parser.feed(REQUEST[:-40])
    bridge = WsgiRunner(handler, contexts=template)
    return [
        *waiting,
        template,
        template.credentials,
        context,
        addressed,
        addressed.credentials,
        wire.connection,
        wire.connection._parser,
        exchange,
        exchange.head,
        exchange.head.fields[1][0],
        exchange.body,
        exchange.body.open(),
        exchange.connection.writer,
        site,
        site.proxies,
        door,
        first,
        parser,
        bridge,
        PlatformContexts(template),
        PlatformContexts(template).address("/", "request-1", SECRET_FIELDS)[1],
        Invocation(bridge.rules, exchange, dict),
        AsgiApplication(handler, contexts=template, max_response_header_bytes=1),
    ]


def test_nothing_shows_a_secret(tally):
    shown = objects()
    for each in shown:
        for text in (repr(each), str(each), f"{each}", f"{[each]}"):
            assert CANARY not in text, type(each)
    tally(faults=len(shown))


def test_secrets_are_there_for_those_who_ask():
    context = objects()[4]
    assert context.credentials.access_key_secret == CANARY
    assert CANARY in context.to_json()


def test_a_context_has_no_dictionary_to_print():
    context = objects()[4]
    for each in (context, context.credentials):
        with pytest.raises(TypeError):
            vars(each)
