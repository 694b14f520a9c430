"""Micro-benchmarks of the pure core: `python -m pytest bench/micro`; `pytest` alone leaves them."""
