"""What `gateway init` writes, apart from it: the help tells of the files and needs no more."""

from typing import Final, NamedTuple


class StarterFile(NamedTuple):
    """A file of a new project."""

    stored: str
    """What it is called in the package."""
    about: str


STARTER_FILES: Final = {
    "index.py": StarterFile("index.py", "a handler"),
    "gateway.toml": StarterFile("gateway.toml", "settings of the gateway"),
    "s.yaml": StarterFile("s.yaml", "the function for Serverless Devs, as it is deployed"),
    "Dockerfile": StarterFile("Dockerfile", "an image with it, on the gateway's own"),
    "requirements.txt": StarterFile("requirements.txt", "what the handler needs"),
    # By its own name it would be one for this repository.
    ".gitignore": StarterFile("gitignore", "what is made from these"),
}
"""The files to write, by name."""
