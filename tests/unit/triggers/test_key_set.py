"""Key sets: which keys are used, and for what."""

import json
import logging
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from unit.triggers.issuer import key_set, private_key, public_jwk

from gateway.triggers.key_set import BadKeySet, parse_key_set

RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


@pytest.mark.parametrize(
    ("kind", "algorithms"),
    [
        ("RSA", RSA),
        ("P-256", ("ES256",)),
        ("P-384", ("ES384",)),
        ("P-521", ("ES512",)),
        ("Ed25519", ("EdDSA",)),
        ("Ed448", ("EdDSA",)),
    ],
)
def test_what_a_key_is_for(kind, algorithms):
    keys = parse_key_set(key_set(public_jwk(kind, kid="a", use="sig", key_ops=["verify"])))
    for algorithm in (*RSA, "ES256", "ES384", "ES512", "ES256K", "EdDSA", "HS256", "none", ""):
        (found,) = keys.fitting("a", algorithm) or [None]
        assert (found is not None) == (algorithm in algorithms), algorithm


def test_a_key_may_say_more_closely_what_it_is_for():
    keys = parse_key_set(key_set(public_jwk("RSA", kid="a", alg="PS256")))
    assert [bool(keys.fitting("a", algorithm)) for algorithm in RSA] == [
        algorithm == "PS256" for algorithm in RSA
    ]


def ids(found):
    return [key.key_id for key in found]


def test_which_keys_may_have_signed():
    keys = parse_key_set(
        key_set(
            public_jwk("P-256", 0, kid="a"),
            public_jwk("P-256", 1, kid="b"),
            public_jwk("P-256", 2),
            public_jwk("P-256", 3, kid="b"),
            public_jwk("P-384", kid="c"),
        )
    )
    assert ids(keys.fitting("a", "ES256")) == ["a"]
    assert ids(keys.fitting("b", "ES256")) == ["b", "b"]
    assert ids(keys.fitting("unknown", "ES256")) == [""]
    assert ids(keys.fitting("c", "ES256")) == [""]
    assert ids(keys.fitting(None, "ES256")) == ["a", "b", "", "b"]
    assert keys.fitting(None, "none") == []
    assert keys.knows("anything")


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_few_keys_are_tried_and_no_more(count):
    keys = parse_key_set(key_set(*[public_jwk("P-256", n, kid=str(n)) for n in range(count)]))
    assert len(keys.fitting(None, "ES256")) == min(count, 4)
    assert not keys.knows("another")
    assert keys.knows(None)


@pytest.mark.parametrize(
    ("jwk", "says"),
    [
        ("text", "is no object"),
        ({}, "of a kind that is not known"),
        ({"kty": ["RSA"]}, "of a kind that is not known"),
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "a"}, "is a shared secret"),
        (public_jwk("P-256", crv="P-255"), "of a kind that is not known"),
        (public_jwk("P-256", crv=None), "of a kind that is not known"),
        (public_jwk("P-256", crv=["P-256"]), "of a kind that is not known"),
        (public_jwk("P-256", use="enc"), "is not for signatures"),
        (public_jwk("P-256", key_ops=["sign"]), "is not for verifying"),
        (public_jwk("P-256", key_ops="verify"), "is not for verifying"),
        (public_jwk("P-256", alg="ES384"), "an algorithm that does not fit"),
        (public_jwk("P-256", alg="none"), "an algorithm that does not fit"),
        (public_jwk("RSA", alg="HS256"), "an algorithm that does not fit"),
        (public_jwk("RSA", alg=["RS256"]), "an algorithm that does not fit"),
        (public_jwk("P-256", kid=5), "a kid that is no text"),
        (public_jwk("P-256", x="AAAA"), "is broken"),
        (public_jwk("P-256", y=5), "is broken"),
        (public_jwk("P-256", x=public_jwk("P-256")["y"]), "is broken"),
        (public_jwk("RSA", n="!"), "is broken"),
        (public_jwk("RSA", e=None), "is broken"),
        (public_jwk("Ed25519", x="AA"), "is broken"),
    ],
)
def test_one_that_cannot_be_used_is_left_out(jwk, says, caplog):
    with pytest.raises(BadKeySet, match="has no key that can be used"):
        parse_key_set(key_set(jwk))
    with caplog.at_level(logging.WARNING):
        keys = parse_key_set(key_set(jwk, public_jwk("P-256", kid="good")))
    assert ids(keys.fitting("good", "ES256")) == ["good"]
    assert says in caplog.text
    assert "key 1 of the key set" in caplog.text


@pytest.mark.parametrize(("bits", "is_taken"), [(1024, False), (2047, False), (2048, True)])
def test_rsa_keys_have_a_size(bits, is_taken):
    jwk = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, bits).public_key()))
    jwk.pop("key_ops", None)
    if is_taken:
        assert parse_key_set(key_set(jwk)).fitting(None, "RS256")
    else:
        with pytest.raises(BadKeySet):
            parse_key_set(key_set(jwk))


def test_of_a_private_key_the_public_part_is_used(caplog):
    jwk = json.loads(ECAlgorithm.to_jwk(private_key("P-256")))
    jwk.pop("key_ops", None)
    (found,) = parse_key_set(key_set(jwk)).fitting(None, "ES256")
    assert not hasattr(found.key, "sign")
    assert "private key" in caplog.text
    assert jwk["d"] not in caplog.text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "is no JSON Web Key Set"),
        (b"{}", "is no JSON Web Key Set"),
        (b'{"keys": {}}', "is no JSON Web Key Set"),
        (b'{"keys": []}', "has no key that can be used"),
        (b'{"keys": [' + b",".join([b"1"] * 257) + b"]}", "has more than 256 keys"),
    ],
)
def test_what_is_no_key_set(data, says):
    with pytest.raises(BadKeySet, match=says):
        parse_key_set(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "key_ops", "alg", "kid"])


@given(st.sampled_from(["RSA", "P-256", "Ed25519"]), st.dictionaries(MEMBERS, JSON, min_size=1))
def test_whatever_a_key_holds_no_other_exception_escapes(kind, changes):
    with suppress(BadKeySet):
        parse_key_set(key_set(public_jwk(kind) | changes))
