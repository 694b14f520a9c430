"""Answers in parts, with what `start_response` is not told: a length."""

import time


def handler(environ, start_response):
    """`/COUNT/SIZE` gives COUNT parts of SIZE bytes each, `/slowly/COUNT` waits between them."""
    first, second = environ["PATH_INFO"].strip("/").split("/")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if first == "slowly":
        return tell_slowly(int(second))
    return (bytes([97 + number % 26]) * int(second) for number in range(int(first)))


def tell_slowly(count):
    for number in range(count):
        yield f"{number}\n".encode()
        time.sleep(0.05)
