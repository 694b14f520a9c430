"""The version of the package, for what it says of itself."""

from typing import Final

__version__: Final = "0.1.0"
