"""The format of the gateway's own log, whose lines cannot be forged.

A record is a line that begins with its time.  Further lines of a record, such as a traceback, begin
with `CONTINUED`.  Characters that are not printable appear as escapes, so no message can move the
cursor, colour the terminal or turn the direction of text.  So text of a client, a handler or an
exception cannot pass for another record.
"""

import logging
from typing import Final

from gateway.text.printable import CONTINUED, printable

_FORM: Final = "%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s"


class LineFormatter(logging.Formatter):
    """Formats records as the module describes."""

    def __init__(self) -> None:
        super().__init__(_FORM)

    def format(self, record: logging.LogRecord) -> str:
        """The record without its last line end."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        parts = [self.formatMessage(record)]
        # Not `exc_text`: another formatter may have set it.
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(record.stack_info)
        lines = [line for part in parts for line in part.split("\n")]
        return f"\n{CONTINUED}".join(map(printable, lines))
