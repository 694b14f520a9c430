"""An issuer of tokens, with keys of every kind, made once."""

import json
import socket
import threading
from contextlib import contextmanager
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt import algorithms

MAKERS = {
    "RSA": (lambda: rsa.generate_private_key(65537, 2048), algorithms.RSAAlgorithm),
    "P-256": (lambda: ec.generate_private_key(ec.SECP256R1()), algorithms.ECAlgorithm),
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), algorithms.ECAlgorithm),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), algorithms.ECAlgorithm),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, algorithms.OKPAlgorithm),
    "Ed448": (ed448.Ed448PrivateKey.generate, algorithms.OKPAlgorithm),
}

ALGORITHMS = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
    "ES256": "P-256", "ES384": "P-384", "ES512": "P-521",
}  # fmt: skip


@cache
def private_key(kind: str, number: int = 0):
    """The key of a kind; another for each number."""
    return MAKERS[kind][0]()


@cache
def _public_jwk(kind: str, number: int) -> str:
    return MAKERS[kind][1].to_jwk(private_key(kind, number).public_key())


def public_jwk(kind: str, number: int = 0, **more: object) -> dict[str, object]:
    """The public half as a JWK; `None` among `more` takes a member away."""
    members = json.loads(_public_jwk(kind, number)) | more
    members.pop("key_ops", None) if "key_ops" not in more else None
    return {name: value for name, value in members.items() if value is not None}


def key_set(*jwks: dict[str, object]) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def token(claims, algorithm="ES256", kind="P-256", number=0, **header) -> str:
    """A signed token."""
    return jwt.encode(claims, private_key(kind, number), algorithm, headers=header)


@contextmanager
def server(*pieces, trickles=b""):
    """Answers one connection with given bytes, then slowly; gives its URL and what was asked."""
    asked = []
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                for piece in pieces:
                    connection.sendall(piece)
                while trickles and not done.wait(0.02):
                    connection.sendall(trickles)
        except OSError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys?a=b", asked
    finally:
        done.set()
        listener.close()
        thread.join(10)


def answered(body, status=b"200 OK", length=None):
    size = len(body) if length is None else length
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, size, body)
