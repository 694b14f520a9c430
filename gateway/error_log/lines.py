"""The gateway's own log: lines that nobody can forge.

A record is a line that begins with its time.  What does not fit in one, a traceback or a text of
several lines, goes on in lines that begin with `CONTINUED`.  No other character of a message
reaches the terminal that would move it, colour it or turn the direction of the text: whatever is
not printable stands there as an escape.  So what a client, a handler or an exception says cannot
pass for another record.
"""

import logging
from typing import Final

from gateway.text.printable import CONTINUED, printable

_FORM: Final = "%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s"


class LineFormatter(logging.Formatter):
    """Formats records as described above."""

    def __init__(self) -> None:
        super().__init__(_FORM)

    def format(self, record: logging.LogRecord) -> str:
        """The record, without the end of its last line."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        parts = [self.formatMessage(record)]
        # Not `exc_text`, which another formatter may have left there.
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(record.stack_info)
        lines = [line for part in parts for line in part.split("\n")]
        return f"\n{CONTINUED}".join(map(printable, lines))
