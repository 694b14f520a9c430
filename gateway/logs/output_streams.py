"""Replacements for `sys.stdout` and `sys.stderr` that attribute output to invocations.

Both are text streams over the original file, with its encoding and its descriptor, so that
`buffer`, `fileno()` and `reconfigure()` work as expected.
"""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.logs.invocation_log import Output


class OutputStream(io.TextIOWrapper):
    """A text stream that replaces `original` and shares its file."""

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
    """Sends all output to the function log, and nothing to the file.

    It cannot be closed, because all requests of the worker share it.  Writes raise no errors;
    characters that cannot be encoded appear in the log as escapes.
    """

    def __init__(
        self, original: io.TextIOWrapper, name: str, output: "Callable[[], Output]"
    ) -> None:
        """`output` returns the output that present writes belong to."""
        super().__init__(original, name)
        self._output = output
        self._buffer = _LoggedBuffer(original.buffer, name, output)

    @property
    def buffer(self) -> Any:
        """The binary side, which also goes to the function log."""
        return self._buffer

    def write(self, text: str, /) -> int:
        text = self._checked(text)
        self._output().take(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: lines are queued already, and partial lines wait for their end."""

    @property
    def closed(self) -> bool:
        """False."""
        return False

    def isatty(self) -> bool:
        """False: a log takes no colours."""
        return False

    def detach(self) -> Any:
        """The buffer; the stream stays usable."""
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
        """The name of the file."""
        return self._file.name

    @property
    def mode(self) -> str:
        """The mode of a binary file."""
        return "wb"

    @property
    def raw(self) -> Any:
        """The file itself: output to it belongs to no invocation."""
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
        """Do nothing, as in `LoggedStream`."""

    def detach(self) -> Any:
        """The file itself, which stays in use."""
        return self._file

    def close(self) -> None:
        """Nothing."""


class TeeStream(OutputStream):
    """Sends all output to the file, and copies it to the invocation while there is a tail.

    Without a tail it is an ordinary text stream: `write` runs no Python code.
    """

    def __init__(
        self, original: io.TextIOWrapper, name: str, output: "Callable[[], Output | None]"
    ) -> None:
        """`output` returns the output that present writes belong to; `None` if no copy is
        needed."""
        super().__init__(original, name)
        self._output = output
        self._is_heard = False

    def listen(self, is_so: bool) -> None:
        """Start or stop copying."""
        if is_so != self._is_heard:
            self._is_heard = is_so
            if is_so:
                self.write = self._write_aloud  # type: ignore[method-assign]  # Only then.
            else:
                del self.write

    @property
    def buffer(self) -> Any:
        """The file's buffer, or one that copies while there is a tail."""
        return _TeeBuffer(self._file, self._tell) if self._is_heard else self._file

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


class _TeeBuffer(io.BufferedIOBase):
    """The binary side of an `TeeStream`."""

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
        """Do nothing, otherwise deleting this object would close the file."""
