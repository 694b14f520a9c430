"""What the tests of a bridge behind connections need, as those of connections."""

from unit.http.conftest import application, loop, make_site, records

__all__ = ["application", "loop", "make_site", "records"]
