"""Wheels made of what is installed here, so that `pip install` can run without a network."""

import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement


def fill(folder: Path, requirements: Iterable[str]) -> None:
    """Put wheels of these and of what they need into `folder`."""
    folder.mkdir()
    done: set[str] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        wanted = waiting.pop()
        if wanted.name.lower() in done or (wanted.marker and not wanted.marker.evaluate()):
            continue
        done.add(wanted.name.lower())
        found = distribution(wanted.name)
        _pack(found, folder)
        waiting += [Requirement(line) for line in found.requires or () if "extra ==" not in line]


def _pack(found: Distribution, folder: Path) -> None:
    """A wheel (PEP 427) of an installed distribution, without the programs made at its install."""
    wheel = found.read_text("WHEEL") or ""
    tags = [line.partition(": ")[2] for line in wheel.splitlines() if line.startswith("Tag: ")]
    name = found.metadata["Name"].replace("-", "_").replace(".", "_")
    # One of the tags is enough: pip here is of the Python that this was installed for.
    target = folder / f"{name}-{found.version}-{tags[0]}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                archive.write(file.locate(), str(file))
