"""What the supervisor is told of the settings."""

import pytest

from gateway.config import load
from gateway.serve import leaving_time


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ([], 30),
        (["--drain-timeout", "5"], 5),
        (["--pre-stop-timeout", "20"], 30),
        (["--pre-stop", "index.stop"], 60),
        (["--pre-stop", "index.stop", "--pre-stop-timeout", "20", "--drain-timeout", "0"], 20),
    ],
)
def test_pre_stop_has_time_of_its_own_before_a_worker_is_killed(
    arguments: list[str], seconds: float
) -> None:
    assert leaving_time(load(arguments, {})) == seconds
