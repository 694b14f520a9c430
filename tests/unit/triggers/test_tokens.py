"""Tokens: who is let in by which, and everything that tries to pass for one."""

import base64
import hmac
import json
import queue
from hashlib import sha256
from threading import get_ident

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from unit.triggers.heads import head_of
from unit.triggers.issuer import ALGORITHMS, key_set, private_key, public_jwk, token

from gateway.errors import (
    KeysUnavailable,
    Refusal,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenNotMeant,
    VerifierBusy,
)
from gateway.triggers.key_set import parse_key_set
from gateway.triggers.tokens import TokenCheck, _Times

NOW = 1_800_000_000
CLAIMS = {"exp": NOW + 60}


class Source:
    """Keys that can be changed, and whoever asks for others."""

    def __init__(self, *jwks):
        self.keys = parse_key_set(key_set(*jwks)) if jwks else None
        self.asked = 0
        self.answer = None

    def refresh(self):
        self.asked += 1
        return self.answer


ALL = [
    public_jwk(kind, kid=kind) for kind in ("RSA", "P-256", "P-384", "P-521", "Ed25519", "Ed448")
]


def check_of(*jwks, now=NOW, audience="", issuer="", leeway=0.0):
    return TokenCheck(
        Source(*(jwks or ALL)),
        audience=audience,
        issuer=issuer,
        leeway=leeway,
        now=now if callable(now) else lambda: now,
    )


def let_in(check, text, may_defer=True):
    fields = [("Authorization", f"Bearer {text}")]
    return check.check(head_of("/", "GET", fields), may_defer=may_defer)


CHECK = check_of()


@pytest.mark.parametrize(
    ("algorithm", "kind"), [*ALGORITHMS.items(), ("EdDSA", "Ed25519"), ("EdDSA", "Ed448")]
)
def test_each_algorithm(algorithm, kind):
    text = token(CLAIMS, algorithm, kind, kid=kind)
    assert let_in(CHECK, text) is None
    assert let_in(CHECK, token(CLAIMS, algorithm, kind)) is None
    head, body, signature = text.split(".")
    other = ("B" if signature[0] == "A" else "A") + signature[1:]
    with pytest.raises(TokenInvalid):
        let_in(CHECK, f"{head}.{body}.{other}")
    with pytest.raises(TokenInvalid):
        let_in(CHECK, token(CLAIMS, algorithm, kind, 1, kid=kind))


def forged(header, claims=None, signature=b""):
    parts = [json.dumps(header).encode(), json.dumps(claims or CLAIMS).encode(), signature]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts).decode()


def signed_with(secret, header):
    unsigned = forged(header).rpartition(".")[0]
    signature = hmac.digest(secret, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("kid", [{}, {"kid": "RSA"}, {"kid": "P-256"}])
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "RS256x", "ES256K"])
def test_algorithms_that_no_key_is_for(algorithm, kid):
    with pytest.raises(TokenInvalid):
        let_in(CHECK, forged({"alg": algorithm, "typ": "JWT", **kid}))


def test_a_public_key_is_no_shared_secret():
    """The classic: HS256 with what everybody knows of the key."""
    public = private_key("RSA").public_key()
    formats = serialization.PublicFormat
    for encoding, format_ in (
        (serialization.Encoding.PEM, formats.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, formats.SubjectPublicKeyInfo),
        (serialization.Encoding.PEM, formats.PKCS1),
    ):
        secret = public.public_bytes(encoding, format_)
        for header in ({"alg": "HS256"}, {"alg": "HS256", "kid": "RSA"}):
            with pytest.raises(TokenInvalid):
                let_in(CHECK, signed_with(secret, header))
    with pytest.raises(TokenInvalid):
        let_in(CHECK, signed_with(str(public_jwk("RSA")["n"]).encode(), {"alg": "HS256"}))


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": public_jwk("P-256", 7)},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/keys"},
    ],
)
def test_keys_that_a_token_brings_along_are_not_looked_at(more):
    with pytest.raises(TokenInvalid):
        let_in(CHECK, token(CLAIMS, "ES256", "P-256", 7, **more))


def test_a_key_is_for_its_algorithm():
    """A token names the key of another type, or another algorithm of the same type."""
    with pytest.raises(TokenInvalid):
        let_in(CHECK, token(CLAIMS, "ES256", "P-256", kid="RSA"))
    only = check_of(public_jwk("RSA", kid="a", alg="RS256"))
    assert let_in(only, token(CLAIMS, "RS256", "RSA", kid="a")) is None
    with pytest.raises(TokenInvalid):
        let_in(only, token(CLAIMS, "PS256", "RSA", kid="a"))


def test_which_of_several_keys():
    twice = check_of(public_jwk("P-256", 0, kid="a"), public_jwk("P-256", 1, kid="a"))
    for number in (0, 1):
        assert let_in(twice, token(CLAIMS, number=number, kid="a")) is None
    without = check_of(public_jwk("P-256", 0), public_jwk("P-256", 1))
    for number in (0, 1):
        assert let_in(without, token(CLAIMS, number=number, kid="any")) is None
        assert let_in(without, token(CLAIMS, number=number)) is None
    two = check_of(public_jwk("P-256", 0, kid="a"), public_jwk("P-256", 1, kid="b"))
    with pytest.raises(TokenInvalid):
        let_in(two, token(CLAIMS, number=0, kid="b"))


@pytest.mark.parametrize("leeway", [0, 30])
def test_until_when_a_token_is_valid(leeway):
    now = NOW
    check = check_of(now=lambda: now, leeway=leeway)
    text = token({"exp": NOW}, kid="P-256")
    for fresh in (True, False):
        for difference in (-1, 0, 1):
            now = NOW + leeway + difference
            other = text if not fresh else token({"exp": NOW, "fresh": difference}, kid="P-256")
            if difference < 0:
                assert let_in(check, other) is None
            else:
                with pytest.raises(TokenExpired):
                    let_in(check, other)


@pytest.mark.parametrize("leeway", [0, 30])
@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_from_when_a_token_is_valid(claim, leeway):
    now = NOW
    check = check_of(now=lambda: now, leeway=leeway)
    text = token(CLAIMS | {claim: NOW + 5}, kid="P-256")
    for difference in (0, 1, -1):  # The last when it is known already.
        now = NOW + 5 - leeway + difference
        if difference < 0:
            with pytest.raises(TokenNotMeant):
                let_in(check, text)
        else:
            assert let_in(check, text) is None


@pytest.mark.parametrize(
    "claims",
    [
        {}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": [NOW + 9]},
        {"exp": str(NOW + 9)}, {"exp": float("inf")}, {"exp": float("nan")}, {"exp": 10**400},
        CLAIMS | {"nbf": "now"}, CLAIMS | {"iat": {}}, CLAIMS | {"nbf": float("-inf")},
    ],
)  # fmt: skip
def test_times_that_are_none(claims):
    """`jwt.encode` would not take all of them."""
    text = jwt.api_jws.encode(
        json.dumps(claims).encode(), private_key("P-256"), "ES256", headers={"kid": "P-256"}
    )
    with pytest.raises(TokenInvalid):
        let_in(CHECK, text)


@pytest.mark.parametrize(
    ("wanted", "said", "is_let_in"),
    [
        ("", {}, True),
        ("", {"aud": "a"}, False),
        ("a", {"aud": "a"}, True),
        ("a", {"aud": ["b", "a"]}, True),
        ("a", {"aud": "b"}, False),
        ("a", {"aud": ["b"]}, False),
        ("a", {"aud": []}, False),
        ("a", {"aud": "A"}, False),
        ("a", {"aud": "ab"}, False),
        ("a", {}, False),
    ],
)
def test_audiences(wanted, said, is_let_in):
    check = check_of(audience=wanted)
    if is_let_in:
        assert let_in(check, token(CLAIMS | said)) is None
    else:
        with pytest.raises(TokenNotMeant):
            let_in(check, token(CLAIMS | said))


@pytest.mark.parametrize(
    ("wanted", "said", "is_let_in"),
    [
        ("", {}, True),
        ("", {"iss": "https://i/"}, True),
        ("https://i/", {"iss": "https://i/"}, True),
        ("https://i/", {"iss": "https://i"}, False),
        ("https://i/", {"iss": "https://i/x"}, False),
        ("https://i/", {}, False),
    ],
)
def test_issuers(wanted, said, is_let_in):
    check = check_of(issuer=wanted)
    if is_let_in:
        assert let_in(check, token(CLAIMS | said)) is None
    else:
        with pytest.raises(TokenNotMeant):
            let_in(check, token(CLAIMS | said))


GOOD = token(CLAIMS, kid="P-256")


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ([], TokenMissing),
        ([("Authorization", "")], TokenMissing),
        ([("Authorization", GOOD)], TokenMissing),
        ([("Authorization", f"Basic {GOOD}")], TokenMissing),
        ([("Authorization", "Bearer")], TokenInvalid),
        ([("Authorization", f"Bearer {GOOD}x")], TokenInvalid),
        ([("Authorization", f"Bearer {GOOD} {GOOD}")], TokenInvalid),
        ([("Authorization", f"Bearer {GOOD}, Bearer {GOOD}")], TokenInvalid),
        ([("Authorization", f"Bearer {GOOD}")] * 2, TokenInvalid),
        ([("Authorization", "Bearer a.b.c")], TokenInvalid),
        ([("Authorization", "Bearer ..")], TokenInvalid),
        ([("Authorization", "Bearer " + "." * 8000)], TokenInvalid),
        ([("Authorization", "Bearer " + "A" * 8000)], TokenInvalid),
        ([("Authorization", f"Bearer {forged('[' * 5)}")], TokenInvalid),
        ([("Authorization", f"Bearer {forged({'alg': 5})}")], TokenInvalid),
        ([("Authorization", f"Bearer {forged({'alg': 'ES256', 'kid': 5})}")], TokenInvalid),
        ([("Authorization", f"Bearer {forged({'kid': 'P-256'})}")], TokenInvalid),
        ([("Authorization", "Bearer \xff\xfe")], TokenInvalid),
        ([("Authorization", f"Bearer {GOOD.replace('.', '=.')}")], TokenInvalid),
    ],
)
def test_what_is_no_token(fields, refusal):
    with pytest.raises(refusal):
        CHECK.check(head_of("/", "GET", fields), may_defer=True)


def test_the_scheme_s_case_does_not_matter():
    assert (
        CHECK.check(head_of("/", "GET", [("authorization", f"bearer  {GOOD}")]), may_defer=True)
        is None
    )


def test_a_header_too_deep_for_json():
    deep = base64.urlsafe_b64encode(b"[" * 30_000).rstrip(b"=").decode()
    with pytest.raises(TokenInvalid):
        let_in(CHECK, f"{deep}.e30.e30")


def test_what_is_critical_has_to_be_understood():
    for header in ({"crit": ["exp"], "exp": 1}, {"crit": ["b64"], "b64": False}, {"crit": []}):
        with pytest.raises(TokenInvalid):
            let_in(CHECK, token(CLAIMS, kid="P-256", **header))


def test_a_large_token():
    text = token(CLAIMS | {"fill": "x" * 5500}, kid="P-256")
    assert 7000 < len(text) < 8000
    assert let_in(CHECK, text) is None


@given(st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_whatever_comes_is_refused_and_nothing_else_is_raised(text):
    printable = "".join(c for c in text if c == "\t" or c.isprintable())
    for said in (printable, f"{GOOD.partition('.')[0]}.{printable}", f"{printable}.a.b"):
        with pytest.raises(Refusal):
            let_in(CHECK, said)


def test_who_comes_again_is_known(monkeypatch):
    check = check_of()
    assert let_in(check, GOOD) is None
    monkeypatch.setattr(TokenCheck, "_verify", None)
    assert let_in(check, GOOD) is None
    check._source.keys = parse_key_set(key_set(*ALL))
    with pytest.raises(TypeError):  # It is looked at again.
        let_in(check, GOOD)


def test_a_key_that_is_gone_lets_nobody_in_that_it_did():
    check = check_of()
    assert let_in(check, GOOD) is None
    check._source.keys = parse_key_set(key_set(public_jwk("RSA", kid="RSA")))
    with pytest.raises(TokenInvalid):
        let_in(check, GOOD)


def test_few_tokens_are_remembered(monkeypatch):
    monkeypatch.setattr("gateway.triggers.tokens._MAX_KNOWN", 3)
    check = check_of()
    for number in range(10):
        let_in(check, token(CLAIMS | {"n": number}))
        assert len(check._known) <= 3
    with pytest.raises(TokenInvalid):
        let_in(check, GOOD + "x")
    assert GOOD not in repr(vars(check))


class Turns:
    """A loop whose calls from other threads are run when the test says so."""

    def __init__(self):
        self.calls = queue.Queue()

    def call_soon_threadsafe(self, callback):
        self.calls.put(callback)

    def turn(self):
        self.calls.get(timeout=30)()


@pytest.fixture
def started():
    """A check that verifies in a thread, and its loop."""
    check, loop = check_of(), Turns()
    check._source.start = lambda _loop: None
    check.start(loop)
    return check, loop


@pytest.mark.parametrize(("text", "refusal"), [(GOOD, None), (GOOD[:-8] + "A" * 8, TokenInvalid)])
def test_signatures_are_verified_off_the_loop(started, text, refusal, monkeypatch):
    check, loop = started
    threads = []
    verify = check._verify
    monkeypatch.setattr(
        check, "_verify", lambda *asked: (threads.append(get_ident()), verify(*asked))[1]
    )
    waiting = let_in(check, text)
    outcome = []

    def ask_again():
        try:
            outcome.append(let_in(check, text, may_defer=False))
        except Refusal as refused:
            outcome.append(type(refused))

    waiting.when_over(ask_again)
    loop.turn()
    assert outcome == [refusal]
    assert len(threads) == 1
    assert threads[0] != get_ident()
    if refusal is None:
        assert let_in(check, text) is None, "a token that is known needs no thread"


def test_what_waits_for_the_thread_is_bounded(started):
    check, loop = started
    bogus = [token(CLAIMS | {"n": number})[:-8] + "A" * 8 for number in range(65)]
    for text in bogus[:64]:
        assert let_in(check, text) is not None
    with pytest.raises(VerifierBusy):
        let_in(check, bogus[64])
    loop.turn()
    assert let_in(check, bogus[64]) is not None
    with pytest.raises(VerifierBusy):
        let_in(check, bogus[1])
    with pytest.raises(TokenInvalid):  # Its outcome is there.
        let_in(check, bogus[0])


def test_keys_that_change_meanwhile_are_asked_themselves(started):
    check, loop = started
    waiting, over = let_in(check, GOOD), []
    waiting.when_over(lambda: over.append(True))
    check._source.keys = parse_key_set(key_set(public_jwk("P-384", kid="P-384")))
    for turn in range(2):
        assert over == [], turn
        loop.turn()
    assert over == [True]
    with pytest.raises(TokenInvalid):
        let_in(check, GOOD, may_defer=False)


class Wait:
    """For keys, until the test brings them."""

    def __init__(self):
        self.callbacks = []

    def when_over(self, callback):
        self.callbacks.append(callback)

    def end(self):
        for callback in self.callbacks:
            callback()


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("number", [5, 6])
def test_behind_new_keys_signatures_are_verified_off_the_loop_too(
    started, monkeypatch, is_first, number
):
    check, loop = started
    threads, outcome = [], []
    verify = check._verify
    monkeypatch.setattr(
        check, "_verify", lambda *asked: (threads.append(get_ident()), verify(*asked))[1]
    )
    if is_first:
        check._source.keys = None
    check._source.answer = keys = Wait()
    text = token(CLAIMS, number=number, kid="new")

    def ask_again():
        try:
            outcome.append(let_in(check, text, may_defer=False))
        except Refusal as refused:
            outcome.append(type(refused))

    let_in(check, text).when_over(ask_again)
    check._source.keys = parse_key_set(key_set(public_jwk("P-256", 5, kid="new")))
    keys.end()
    assert outcome == []
    loop.turn()
    assert outcome == [None if number == 5 else TokenInvalid]
    assert len(threads) == 1
    assert threads[0] != get_ident()


def test_who_has_waited_for_keys_finds_room_however_many_there_are(started):
    check, loop = started
    check._source.keys, check._source.answer = None, Wait()
    good = [token(CLAIMS | {"n": number}) for number in range(66)]
    outcome = []
    for text in good:
        let_in(check, text).when_over(
            lambda text=text: outcome.append(let_in(check, text, may_defer=False))
        )
    check._source.keys = parse_key_set(key_set(*ALL))
    check._source.answer.end()
    with pytest.raises(VerifierBusy):  # Newcomers do not queue behind all of them.
        let_in(check, token(CLAIMS | {"n": 66}))
    for _ in good:
        loop.turn()
    assert outcome == [None] * 66


@pytest.mark.parametrize("text", ["x", GOOD])
def test_what_needs_no_verification_behind_new_keys_does_not_wait(started, text):
    check, _ = started
    keys = check._source.keys
    check._source.keys, check._source.answer = None, Wait()
    over = []
    let_in(check, text).when_over(lambda: over.append(True))
    if text == GOOD:  # Another request has brought it meanwhile.
        check._known_of = keys
        check._known.remember(sha256(GOOD.encode()).digest(), _Times(0.0, NOW + 60.0))
    check._source.keys = keys
    check._source.answer.end()
    assert over == [True]


def test_the_loop_never_verifies_where_there_is_a_thread(started, monkeypatch):
    check, _ = started
    monkeypatch.setattr(check, "_verify", None)
    with pytest.raises(VerifierBusy):
        let_in(check, GOOD, may_defer=False)


def test_before_there_are_keys():
    check = check_of()
    check._source.keys = None
    with pytest.raises(KeysUnavailable):
        let_in(check, GOOD)
    check._source.answer = waiting = object()
    assert let_in(check, GOOD) is waiting
    with pytest.raises(KeysUnavailable):
        let_in(check, GOOD, may_defer=False)
    with pytest.raises(TokenMissing):  # It waits for nothing.
        check.check(head_of(), may_defer=True)


def test_a_key_that_is_not_known_is_asked_for():
    check = check_of()
    check._source.answer = waiting = object()
    text = token(CLAIMS, number=5, kid="new")
    assert let_in(check, text) is waiting
    with pytest.raises(TokenInvalid):
        let_in(check, text, may_defer=False)
    check._source.keys = parse_key_set(key_set(public_jwk("P-256", 5, kid="new")))
    assert let_in(check, text, may_defer=False) is None
    assert check._source.asked == 1
    check._source.answer = None
    with pytest.raises(TokenInvalid):
        let_in(check, token(CLAIMS, number=5, kid="newer"))
