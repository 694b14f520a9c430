"""Runs Python WSGI handlers the way Alibaba Function Compute runs them, anywhere."""

__version__ = "0.1.0"
