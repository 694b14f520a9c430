"""The conformance tables, against a real gateway: whole, in pieces, and between other requests."""

from collections.abc import Callable, Iterator

import pytest
from conformance.cases import HIDDEN, Case, Seen, get
from conformance.tables import FAMILIES
from functional.serving import Gateway
from functional.wire import Response, WireClient

CODES = {
    400: "InvalidArgument",
    417: "ExpectationFailed",
    501: "NotImplemented",
    505: "HTTPVersionNotSupported",
}

FIRST = get(first=b"GET /first HTTP/1.1")
BEHIND = get(first=b"GET /behind HTTP/1.1")

SEEN_FIRST = Seen(target="/first")
SEEN_BEHIND = Seen(target="/behind")

WAYS = ["whole", "in pieces", "before another", "behind another"]


@pytest.fixture(scope="module")
def total(recorder: Gateway) -> Iterator[Callable[[], int]]:
    """How often the handler has run, but for this question."""
    with recorder.connect() as client:
        yield lambda: int(client.ask("/runs/").body)


def send(client: WireClient, way: str, data: bytes) -> None:
    if way == "whole":
        client.send(data)
    elif way == "in pieces":
        # Single bytes where they are most telling: the first and the last.
        client.send_in_pieces(data[:400])
        client.send_in_pieces(data[400:-400], 1000)
        client.send_in_pieces(data[max(400, len(data) - 400) :])
    elif way == "before another":
        client.send(data + BEHIND + BEHIND)
    else:
        client.send(FIRST + data + BEHIND)


def check_seen(response: Response, seen: Seen) -> None:
    """That a response of `recording.py` describes the request."""
    assert response.status == 200
    if seen.method == "HEAD":
        return
    description = response.json()
    environ = description["environ"]
    assert environ["REQUEST_METHOD"] == seen.method
    assert environ["fc.request_uri"] == seen.target
    assert environ.get("HTTP_HOST", "") == seen.host
    assert description["body"].encode("latin-1") == seen.body
    assert environ["CONTENT_LENGTH"] == str(len(seen.body))
    expected: dict[str, list[str]] = {}
    for name, value in seen.fields:
        expected.setdefault("HTTP_" + name.upper().replace("-", "_"), []).append(value)
    hidden = {"HTTP_" + name.upper().replace("-", "_") for name in HIDDEN}
    found = {key: environ[key] for key in environ if key.startswith("HTTP_")}
    assert {key: found[key] for key in found.keys() - hidden} == {
        key: ",".join(values) for key, values in expected.items()
    }


def check_refusal(response: Response, status: int) -> None:
    assert response.status == status
    assert response["X-Fc-Error-Type"] == "FcCommonError"
    assert response["Content-Type"] == "application/json"
    assert response.closes
    body = response.json()
    assert set(body) == {"ErrorCode", "ErrorMessage"}
    assert body["ErrorCode"] == CODES[status]
    assert isinstance(body["ErrorMessage"], str)
    assert body["ErrorMessage"]


def ways(case: Case) -> list[str]:
    """When it may come to an interim response in the middle depends on the kernel."""
    is_interim = case.seen and b"Expect:" in case.data
    return [way for way in WAYS if not (is_interim and way == "in pieces")]


def check(client: WireClient, case: Case, way: str) -> int:
    """Send the case and read what is due; how many requests are served."""
    seen = [*case.seen]
    if way == "behind another":
        seen = [SEEN_FIRST, *seen]
    if not case.closes:
        seen += [SEEN_BEHIND] * {"before another": 2, "behind another": 1}.get(way, 0)
    send(client, way, case.data)
    for request in seen:
        check_seen(client.read_response(request.method), request)
    if case.status:
        check_refusal(client.read_response(), case.status)
    if case.closes:
        client.expect_close()
    else:
        check_seen(client.ask("/last"), Seen(target="/last", host="gateway.test"))
    return len(seen) + (not case.closes)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.family(family), id=case.name[:60])
        for family, cases in FAMILIES.items()
        for case in cases
    ],
)
def test_a_case(
    recorder: Gateway,
    total: Callable[[], int],
    case: Case,
    tally: Callable[..., None],
) -> None:
    faults: dict[str, Exception] = {}
    before = total()
    for way in ways(case):
        try:
            with recorder.connect() as client:
                served = check(client, case, way)
            after = total()
            assert after - before == served, "a request was run twice, or one that is none"
            tally(refused=bool(case.status), served=served)
        except Exception as fault:
            fault.add_note(f"Sent {way}.")
            faults[way] = fault
            after = total()
        before = after
    if faults:
        raise ExceptionGroup(", ".join(faults), [*faults.values()])
