"""Answers that their clients can check to the last byte, small and large, at once and in parts."""

import hashlib
import time


def handler(environ, start_response):
    kind, _, name = environ["PATH_INFO"].strip("/").partition("/")
    if environ["REQUEST_METHOD"] == "POST":
        body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
    elif kind == "slow":
        time.sleep(0.05)
        body = name.encode()
    elif kind == "stream":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return parts(name)
    else:
        body = name.encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


def parts(name):
    for number in range(20):
        yield f"{name} {number} ".encode() * 500
        time.sleep(0.005)
