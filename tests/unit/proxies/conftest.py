"""Sites without a network, as the tests of connections have them."""

from unit.http.conftest import application, loop, make_site, records

__all__ = ["application", "loop", "make_site", "records"]
