"""All cases, by the family that they belong to in the tally."""

from typing import Final

from conformance.cases import Case
from conformance.chunks import CHUNKS
from conformance.exchanges import EXCHANGES
from conformance.lengths import CODINGS, LENGTHS, PAIRS
from conformance.lines import FIELDS, LINE_ENDS, REQUEST_LINES
from conformance.targets import HOSTS, TARGETS

FAMILIES: Final[dict[str, list[Case]]] = {
    "framing": [*LINE_ENDS, *FIELDS, *REQUEST_LINES, *TARGETS, *HOSTS, *LENGTHS, *EXCHANGES],
    "smuggling": [*CODINGS, *PAIRS, *CHUNKS],
}

CASES: Final = [case for cases in FAMILIES.values() for case in cases]

SERVED: Final = [case for case in CASES if case.seen and not case.status]
"""Those in which nothing is refused."""
