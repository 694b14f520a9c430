"""Settings that are read again while the gateway runs, and which of them a reload takes."""

from collections.abc import Callable
from dataclasses import replace

from gateway.config.options import OPTIONS, Config


class Rereading:
    """The settings in force, and where they come from."""

    def __init__(self, in_force: Config, load: Callable[[], Config]) -> None:
        """`in_force` is what `load` has given at the start, perhaps made more exact since."""
        self.in_force = in_force
        self._load = load
        self._told = in_force

    def read_again(self) -> list[str]:
        """Put in force what the sources say by now; the options whose change needs a restart.

        Raises:
            UsageError: there is a mistake in them.  What was in force stays so.
        """
        read = self._load()
        fixed = [option.name for option in OPTIONS.values() if option.is_fixed]
        if self.in_force.reload:
            fixed.append("chdir")  # That folder is watched.
        changed = [name for name in fixed if getattr(read, name) != getattr(self._told, name)]
        kept = {name: getattr(self.in_force, name) for name in fixed}
        self.in_force = replace(read, **kept)
        return [OPTIONS[name].flag for name in changed]
