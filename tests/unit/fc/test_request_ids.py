"""Request ids: UUIDv4 text, unique, different in each process."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.fc.request_ids import SEED_SIZE, RequestIds

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
