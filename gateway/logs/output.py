"""What `sys.stdout` and `sys.stderr` are in a worker: streams that know whose words they take.

Both are still text streams over the same file as before, with its encoding and its number, so that
who asks for `buffer`, `fileno()` or `reconfigure()` finds what is expected.
"""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.logs.invocation_log import Output


class OutputStream(io.TextIOWrapper):
    """A text stream in the place of `original`, whose file it shares."""

    def __init__(self, original: io.TextIOWrapper, name: str) -> None:
        """`name` is `stdout` or `stderr`."""
        original.flush()
        super().__init__(
            original.buffer,
            encoding=original.encoding,
            errors=original.errors,
            newline="\n",
            line_buffering=original.line_buffering,
            write_through=original.write_through,
        )
        self._stream = name
        self._file: Any = original.buffer
        setattr(self, "mode", getattr(original, "mode", "w"))  # noqa: B010  # mypy: no property.

    def _checked(self, text: str) -> str:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        return text if type(text) is str else "".join((text, ""))


class LoggedStream(OutputStream):
    """All that is written goes to the function log, and nothing to the file.

    It cannot be closed: it is the worker's, and not one request's.  Whoever writes to it gets no
    error; what cannot be encoded stands in the log as an escape.
    """

    def __init__(
        self, original: io.TextIOWrapper, name: str, output: "Callable[[], Output]"
    ) -> None:
        """`output` says whose output is written now."""
        super().__init__(original, name)
        self._output = output
        self._buffer = _LoggedBuffer(original.buffer, name, output)

    @property
    def buffer(self) -> Any:
        """Takes bytes for the function log, too."""
        return self._buffer

    def write(self, text: str, /) -> int:
        text = self._checked(text)
        self._output().take(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Nothing: lines are on their way, and what is none yet waits for its end."""

    @property
    def closed(self) -> bool:
        """Never."""
        return False

    def isatty(self) -> bool:
        """It is a log, whose lines take no colours."""
        return False

    def detach(self) -> Any:
        """The buffer; the stream stays what it is."""
        return self._buffer

    def close(self) -> None:
        """Nothing."""


class _LoggedBuffer(io.BufferedIOBase):
    """The binary side of a `LoggedStream`: UTF-8."""

    def __init__(self, file: Any, name: str, output: "Callable[[], Output]") -> None:
        self._file = file
        self._stream = name
        self._output = output

    @property
    def name(self) -> Any:
        """The file's."""
        return self._file.name

    @property
    def mode(self) -> str:
        """As a file's."""
        return "wb"

    @property
    def raw(self) -> Any:
        """The file itself: what is written there is nobody's."""
        return self._file.raw

    def write(self, data: Any, /) -> int:
        data = memoryview(data).tobytes()
        self._output().take_bytes(self._stream, data)
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._file.fileno())

    def isatty(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing, as for the text."""

    def detach(self) -> Any:
        """The file itself, which stays here as well."""
        return self._file

    def close(self) -> None:
        """Nothing."""


class OverheardStream(OutputStream):
    """All that is written goes to the file; while somebody listens, it is also told whose it is.

    While nobody does it is a text stream like any other: no line of Python is run for a `write`.
    """

    def __init__(
        self, original: io.TextIOWrapper, name: str, output: "Callable[[], Output | None]"
    ) -> None:
        """`output` says whose output is written now; `None`: nobody's that is listened for."""
        super().__init__(original, name)
        self._output = output
        self._is_heard = False

    def listen(self, is_so: bool) -> None:
        """Whether somebody listens."""
        if is_so != self._is_heard:
            self._is_heard = is_so
            if is_so:
                self.write = self._write_aloud  # type: ignore[method-assign]  # Only then.
            else:
                del self.write

    @property
    def buffer(self) -> Any:
        """The file's; one that is listened to while somebody does."""
        return _OverheardBuffer(self._file, self._tell) if self._is_heard else self._file

    def _write_aloud(self, text: str, /) -> int:
        written = super().write(text)
        output = self._output()
        if output is not None:
            output.take(self._stream, self._checked(text))
        return written

    def _tell(self, data: bytes) -> None:
        output = self._output()
        if output is not None:
            output.take_bytes(self._stream, data)


class _OverheardBuffer(io.BufferedIOBase):
    """The binary side of an `OverheardStream`."""

    def __init__(self, file: Any, tell: Callable[[bytes], None]) -> None:
        self._file = file
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any, /) -> int:
        written = int(self._file.write(data))
        self._tell(memoryview(data).tobytes())
        return written

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._file.fileno())

    def isatty(self) -> bool:
        return bool(self._file.isatty())

    def flush(self) -> None:
        self._file.flush()

    def detach(self) -> Any:
        """The file itself."""
        return self._file

    def close(self) -> None:
        """Nothing, or what goes out of use would take the file along."""
