"""Request ids: of the form they should have, unique, different in each process."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from gateway.fc.request_ids import SEED_SIZE, RequestIds, RequestIds3

SEEDS = [bytes(SEED_SIZE), b"\xff" * SEED_SIZE, bytes(range(SEED_SIZE)), b"\x5a" * SEED_SIZE]
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.parametrize("seed", SEEDS)
def test_form(seed):
    request_ids = RequestIds(seed)
    for _ in range(3):
        text = request_ids.next()
        assert UUID4.fullmatch(text)
        assert uuid.UUID(text).version == 4
        assert uuid.UUID(text).variant == uuid.RFC_4122
        assert str(uuid.UUID(text)) == text


def test_every_variant_occurs():
    variants = {RequestIds(bytes([0] * 8 + [top << 6] + [0] * 7)).next()[19] for top in range(4)}
    assert variants == set("89ab")


def test_unique_across_threads():
    request_ids = RequestIds(SEEDS[1])

    def draw(_):
        return [request_ids.next() for _ in range(2_000)]

    with ThreadPoolExecutor(8) as threads:
        drawn = [text for part in threads.map(draw, range(8)) for text in part]
    assert len(set(drawn)) == 16_000


def test_the_seed_decides():
    assert RequestIds(SEEDS[2]).next() == RequestIds(SEEDS[2]).next()
    prefixes = {RequestIds(seed).next()[:23] for seed in SEEDS}
    assert len(prefixes) == len(SEEDS)


@pytest.mark.parametrize("size", [0, SEED_SIZE - 1, SEED_SIZE + 1])
def test_a_seed_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match=f"the seed has {size} bytes"):
        RequestIds(bytes(size))


# Those of 3.0.

ID_3 = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{12})")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("now", "second"),
    [(0.0, "00000000"), (1_730_000_000.9, "671db480"), (2.0**32 + 1, "00000001")],
)
def test_form_of_3(seed, now, second):
    request_ids = RequestIds3(seed, lambda: now)
    for _ in range(3):
        match = ID_3.fullmatch(request_ids.next())
        assert match[1] == second
        assert match[2] == seed.hex()[:8]


def test_the_second_is_that_of_the_request():
    now = 5.0
    request_ids = RequestIds3(SEEDS[2], lambda: now)
    drawn = []
    for now in (5.0, 5.9, 6.0, 6.0, 60.0):  # noqa: B007  # The clock reads it.
        drawn.append(request_ids.next())
    assert [int(text[2:10], 16) for text in drawn] == [5, 5, 6, 6, 60]
    assert len(set(drawn)) == 5


def test_those_of_3_are_unique_across_threads():
    seconds = count()
    request_ids = RequestIds3(SEEDS[1], lambda: next(seconds) / 300)

    def draw(_):
        return [request_ids.next() for _ in range(2_000)]

    with ThreadPoolExecutor(8) as threads:
        drawn = [text for part in threads.map(draw, range(8)) for text in part]
    assert len({text[20:] for text in drawn}) == 16_000
    assert all(ID_3.fullmatch(text) for text in drawn)


@pytest.mark.parametrize("size", [0, SEED_SIZE - 1, SEED_SIZE + 1])
def test_a_seed_of_another_size_is_refused_for_3(size):
    with pytest.raises(ValueError, match=f"the seed has {size} bytes"):
        RequestIds3(bytes(size), lambda: 0.0)
