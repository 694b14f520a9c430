"""Answers at once, or behind a while; the last says when it has run."""

import time


def quick(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def second(environ, start_response):
    time.sleep(1)
    return quick(environ, start_response)


def tenth(environ, start_response):
    time.sleep(0.1)
    print("ran", flush=True)
    return quick(environ, start_response)
