"""What the micro-benchmarks share: their table, and the parser."""

import pytest

from gateway.http.connection.shared_state import is_withheld
from gateway.http.message.fields import FieldNames
from gateway.http.message.parser import HeadParser
from gateway.limits import Limits


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Short tables and short runs; for these options the command line is not heard."""
    option = config.option
    option.benchmark_columns = ["min", "median", "iqr", "rounds"]
    option.benchmark_sort = "fullname"
    option.benchmark_max_time = 0.5
    option.benchmark_warmup = True


@pytest.fixture
def parser() -> HeadParser:
    """With the gateway's limits and dropped names."""
    return HeadParser(FieldNames(is_withheld), Limits())
