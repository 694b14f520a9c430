"""What the hooks of `handlers/living.py` have noted, and what they are to do."""

import json
from pathlib import Path
from typing import Any

from functional.serving import wait_until


class Hooks:
    """What the hooks of `handlers/living.py` have noted, and what they are to do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environ = {"GATES": str(folder)}

    def notes(self, *names: str) -> list[dict[str, Any]]:
        """What was noted, of these hooks or of all, in its order."""
        file = self._folder / "notes"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        notes = [json.loads(line) for line in lines]
        return [note for note in notes if not names or note["hook"] in names]

    def names(self) -> list[str]:
        return [note["hook"] for note in self.notes()]

    def await_call(self, name: str, count: int = 1) -> None:
        wait_until(lambda: len(self.notes(name)) >= count, f"{name} has been called {count} times")

    def hold(self, name: str) -> None:
        (self._folder / f"{name}.wait").touch()

    def let_go(self, name: str) -> None:
        (self._folder / f"{name}.wait").unlink()

    def fail(self, name: str) -> None:
        (self._folder / f"{name}.fail").touch()

    def mend(self, name: str) -> None:
        (self._folder / f"{name}.fail").unlink()
