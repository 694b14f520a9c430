"""A connection under any bytes, cut and read in any way: each request has its answer, in order.

An input is a plan for cuts, reading and answering, and the bytes that the client sends.  The
checks are those of `unit.http.conversation`: what the client gets are well-formed answers, one
for each record, none behind one that closes; no record comes twice; what was held is released.
"""

from fuzz.heads import cut, take_plan
from unit.http.conversation import WAYS, converse

READS = ((), (7, 0, 250))
"""Bytes that the client takes before each segment; none named: all."""


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever else may not come out."""
    options, places, stream = take_plan(data)
    way = WAYS[options % len(WAYS)]
    # To wait for the client the thread would need one that lives beside it.
    reads = READS[options >> 3] if way != "in_parts" else ()
    whole = converse([stream] if stream else [], way, ends=True)
    if places:
        pieces = converse(cut(stream, places), way, ends=True, reads=reads)
        assert pieces == whole, (pieces, whole)
