"""The line about keys of a project file that have no effect here."""

from collections.abc import Iterable

from gateway.project import keys
from gateway.project.functions import Component, Function
from gateway.project.nodes import Entry, Place, Table
from gateway.project.variables import UnresolvedError, Variables
from gateway.text.spelling import did_you_mean

_MAX_SHOWN = 30

_Tree = dict[str, "_Tree | bool"]
"""Known keys: the keys below them, or whether they have an effect (or need none)."""


class Notice:
    """Collects the keys to name.

    file: the file whose lines are named without its name.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._unknown: list[tuple[Place, str]] = []
        self._idle: list[tuple[Place, str]] = []

    def name_idle(self, name: str, place: Place) -> None:
        """Name a key as one without effect."""
        self._idle.append((place, f"{name} ({self._line(place)})"))

    def examine(
        self, root: Table, function: Function, trigger: Table | None, variables: Variables
    ) -> None:
        """Examine all keys of the function and around it; of its triggers only `trigger`."""
        self._flat(root.entries.items(), keys.ROOT_KEYS, keys.ROOT_WITHOUT_EFFECT)
        own = function.settings.entries.items()
        self._flat(own, keys.MODULE_KEYS, keys.MODULE_WITHOUT_EFFECT)
        tree = _tree(function.component)
        triggers = tree.pop("triggers")
        self._nested(function.props, tree | {"triggers": True}, "", function.module, variables)
        if trigger is not None and isinstance(triggers, dict):
            self._nested(trigger, triggers, "triggers.", function.module, variables)

    def text(self) -> str:
        """The line; "" if there are no such keys."""
        parts = [
            f"{what}: {_listed(names)}"
            for what, names in (
                ("not understood", self._unknown),
                ("without effect here", self._idle),
            )
            if names
        ]
        return f"{self._file}: {'; '.join(parts)}" if parts else ""

    def _line(self, place: Place) -> str:
        return f"line {place.line}" if place.file == self._file else str(place)

    def _name_unknown(self, name: str, key: str, place: Place, known: Iterable[str]) -> None:
        question = did_you_mean(key, known, "")
        text = f"{name} ({self._line(place)}{question and '; ' + question})"
        self._unknown.append((place, text))

    def _flat(
        self, items: Iterable[tuple[str, Entry]], known: frozenset[str], idle: frozenset[str]
    ) -> None:
        for key, entry in items:
            if key in idle:
                self.name_idle(key, entry.place)
            elif key not in known and not key.startswith((".", "x-")):  # They hold anchors.
                self._name_unknown(key, key, entry.place, known | idle)

    def _nested(
        self, table: Table, tree: _Tree, prefix: str, module: str, variables: Variables
    ) -> None:
        for key, entry in table.entries.items():
            below = tree.get(key)
            if below is None:
                self._name_unknown(prefix + key, key, entry.place, tree)
            elif below is False:
                self.name_idle(prefix + key, entry.place)
            elif isinstance(below, dict):
                try:
                    value = variables.resolve(entry.value, module)
                except UnresolvedError:  # It has been reported where it is needed.
                    continue
                if isinstance(value, Table):
                    self._nested(value, below, f"{prefix}{key}.", module, variables)


def _tree(component: Component) -> _Tree:
    tree: _Tree = {}
    effective = [*[key.path for key in keys.KEYS[component]], *keys.DESCRIPTIVE[component]]
    for paths, has_effect in ((effective, True), (keys.WITHOUT_EFFECT[component], False)):
        for path in paths:
            *folders, last = path.replace("[]", "").split(".")
            at = tree
            for folder in folders:
                below = at.setdefault(folder, {})
                assert isinstance(below, dict), path  # The tables are our own.
                at = below
            at[last] = has_effect
    return tree


def _listed(named: list[tuple[Place, str]]) -> str:
    names = [name for _, name in sorted(named)]
    more = f", and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return ", ".join(names[:_MAX_SHOWN]) + more
