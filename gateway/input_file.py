"""Files that the user names: settings, projects, keys."""

from pathlib import Path

from gateway.errors import UsageError


def content_of(
    path: Path, named_by: str, *, most: int = -1, fault: type[UsageError] = UsageError
) -> bytes:
    """The bytes of a file; of one that has more than `most`, as many and one.

    `named_by` is the place that names it.

    Raises:
        UsageError: it cannot be read; of the type `fault`.
    """
    try:
        with path.open("rb") as file:
            return file.read(-1 if most < 0 else most + 1)
    except OSError as error:
        raise fault(
            f"{named_by}: cannot read {str(path)!r}: {error.strerror}; check the path"
        ) from None
