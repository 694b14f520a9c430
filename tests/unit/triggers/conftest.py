"""Sites without a network; and properties take the time that they need."""

from unit.http.conftest import application, loop, make_site, records

__all__ = ["application", "loop", "make_site", "records"]
