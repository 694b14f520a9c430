"""Stacks and memory are used up."""

import json

from misbehaving import PLAIN


def recurse(depth):
    return recurse(depth + 1)


def to_and_fro(depth):
    return fro_and_to(depth + 1)


def fro_and_to(depth):
    return to_and_fro(depth + 1)


def recursion(environ, start_response):
    recurse(0)


def mutual_recursion(environ, start_response):
    to_and_fro(0)


def recursion_behind_the_first_item(environ, start_response):
    start_response("200 OK", PLAIN)
    yield b"begun "
    recurse(0)


def recursion_in_c(environ, start_response):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    repr(nested)


def recursion_in_a_parser(environ, start_response):
    json.loads("[" * 100_000)


def recursion_in_iteration(environ, start_response):
    """A chain of generators, each within another."""
    start_response("200 OK", PLAIN)
    items = iter([b"an answer"])
    for _ in range(5000):
        items = map(bytes, items)
    return items


def one_huge_allocation(environ, start_response):
    bytearray(1 << 60)


def many_small_allocations(environ, start_response):
    """Until there is no memory, which somebody must have bounded."""
    kept = []
    while True:
        kept.append(bytearray(10_000))
