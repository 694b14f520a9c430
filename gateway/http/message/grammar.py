"""The parts of HTTP's grammar that the parser does not check, as compiled patterns."""

import re
from typing import Final

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 §5.6.2: a token, such as a field name."""

METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 §9.1: a token, as bytes."""

FORBIDDEN_IN_VALUE: Final = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
"""RFC 9110 §5.5: characters that a field value must not contain, or latin-1 cannot encode."""

HOST: Final = re.compile(
    rb"""(?: \[ [0-9A-Fa-f:.]+ \]                            # IP-literal without a zone
         |   \[ v[0-9A-Fa-f]+ \. [!$&'()*+,;=:\-._~0-9A-Za-z]+ \]   # IPvFuture
         |   (?: [!$&'()*+,;=\-._~0-9A-Za-z] | %[0-9A-Fa-f]{2} )+   # reg-name, IPv4address
         )
         (?: : [0-9]{0,5} )?""",
    re.VERBOSE,
)
"""RFC 9110 §7.2 with RFC 3986 §3.2.2: `uri-host [ ":" port ]`, neither empty nor with userinfo."""

ABSOLUTE_TARGET: Final = re.compile(rb"(?i:https?)://([^/?#]*)([^#]*)")
"""RFC 9112 §3.2.2, for the two schemes that HTTP defines: authority, path and query."""

PLAIN_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
"""RFC 9112 §7.1: a chunk size without extensions, with the line end."""

CHUNK_LINE: Final = re.compile(
    rb"""([0-9A-Fa-f]{1,16})
         (?: ; [!#$%&'*+\-.^_`|~0-9A-Za-z]+
             (?: = (?: [!#$%&'*+\-.^_`|~0-9A-Za-z]+
                   | " (?: [\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]
                       | \\ [\t \x21-\x7e\x80-\xff] )* " ) )?
         )*""",
    re.VERBOSE,
)
"""RFC 9112 §7.1 and §7.1.1: chunk size and extensions, without the line end.

RFC 9110 §5.6.3 lets a recipient remove "bad whitespace"; the gateway refuses it.  No sender may
generate it, implementations disagree about it (httptools refuses it too), and request smuggling
lives on such disagreement.
"""

TRAILER_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[\t\x20-\x7e\x80-\xff]*")
"""RFC 9112 §7.1.2: one field line of a trailer section, without the line end."""
