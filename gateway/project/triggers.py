"""The settings in the HTTP trigger of a function."""

import json
from collections.abc import Container
from typing import Any

from gateway.project.nodes import Array, Entry, Node, ProjectError, Table, Text
from gateway.project.notice import Notice
from gateway.project.properties import Properties, Value, sort_of

_MAX_PARTS = 10_000
"""The most values in a JSON Web Key Set."""

_DEFAULT_AUTH = "function"
"""The authentication of an HTTP trigger without `authType`.  Source: HTTPTriggerConfig of FC 3.0.
Files for 2.0 must have the key; if it is missing, the function must not be open to everybody."""


def http_trigger(properties: Properties, notice: Notice) -> Table | None:
    """The HTTP trigger of the version LATEST, otherwise the first; the notice names the others."""
    found = properties.find("triggers")
    if found is None:
        return None
    entry, value = found
    if not isinstance(value, Array):
        raise ProjectError(f"{entry.place}: triggers: is no list; begin each with a dash")
    triggers: list[Table] = []
    for item in value.items:
        trigger = properties.resolved(Entry(item, item.place), "triggers")
        if not isinstance(trigger, Table):
            raise ProjectError(f"{item.place}: triggers: a trigger is a mapping; give its keys")
        kind = properties.find_text("triggerType", trigger) or properties.find_text("type", trigger)
        if kind is not None and kind.value.lower() == "http":
            triggers.append(trigger)
        else:
            what = "" if kind is None else f" of type {kind.value[:30]}"
            notice.name_idle(f"the trigger{what}", trigger.place)
    taken = triggers[0] if triggers else None
    for trigger in triggers:
        qualifier = properties.find_text("qualifier", trigger)
        if qualifier is None or qualifier.value.upper() == "LATEST":
            taken = trigger
            break
    for trigger in triggers:
        if trigger is not taken:
            notice.name_idle("another HTTP trigger", trigger.place)
    return taken


def trigger_values(properties: Properties, trigger: Table, chosen: Container[str]) -> list[Value]:
    """The settings in an HTTP trigger, except those `chosen` elsewhere.

    Claims and unusual places of tokens are not supported.  An unsupported key never admits more
    callers than Function Compute does.
    """
    folder = "config" if properties.function.component == "fc" else "triggerConfig"
    values = []
    qualifier = properties.find_text("qualifier", trigger)
    if qualifier is not None and qualifier.value and "qualifier" not in chosen:
        values.append(_value("qualifier", "qualifier", qualifier))
    methods = None if "methods" in chosen else properties.find(f"{folder}.methods", trigger)
    if methods is not None:
        values.append(_methods(properties, *methods))
    if "auth" in chosen:
        return values
    kind = properties.find_text(f"{folder}.authType", trigger)
    if kind is None:
        place = f"{trigger.place}: authType, which is missing (anonymous would let everybody call)"
        values.append(Value("auth", _DEFAULT_AUTH, place, _DEFAULT_AUTH))
        return values
    values.append(_value("auth", "authType", kind))
    key_set = properties.find(f"{folder}.authConfig.jwks", trigger)
    if kind.value == "jwt" and key_set is not None and "jwks" not in chosen:
        entry, value = key_set
        text = _key_set(properties, entry, value)
        values.append(Value("jwks", text, f"{entry.place}: jwks", "its value"))
    return values


def _value(option: str, name: str, text: Text) -> Value:
    return Value(option, text.value, f"{text.place}: {name}", text.written or text.value)


def _methods(properties: Properties, entry: Entry, value: Node) -> Value:
    texts = []
    for item in value.items if isinstance(value, Array) else (value,):
        method = properties.resolved(Entry(item, entry.place), "methods")
        if not isinstance(method, Text):
            raise ProjectError(f"{entry.place}: methods: holds a {sort_of(method)}; give names")
        texts.append(method)
    if not any(text.value.strip() for text in texts):
        raise ProjectError(
            f"{entry.place}: methods: has none, so nobody may call; name some, or remove the key"
        )
    shown = ",".join(text.written or text.value for text in texts)
    return Value("methods", ",".join(t.value for t in texts), f"{entry.place}: methods", shown)


def _key_set(properties: Properties, entry: Entry, value: Node) -> str:
    """A JSON Web Key Set (RFC 7517 section 5) as JSON."""
    parts = 0

    def plain(node: Node) -> Any:
        nonlocal parts
        parts += 1
        if parts > _MAX_PARTS:
            raise ProjectError(f"{entry.place}: jwks: has too many parts; shorten it")
        node = properties.resolved(Entry(node, entry.place), "jwks")
        if isinstance(node, Table):
            return {name: plain(each.value) for name, each in node.entries.items()}
        if isinstance(node, Array):
            return [plain(item) for item in node.items]
        return node.value if node.kind == "text" else json.loads(node.value)

    try:
        made = json.loads(value.value) if isinstance(value, Text) else plain(value)
    except (ValueError, RecursionError):
        made = None
    if not isinstance(made, dict) or not isinstance(made.get("keys"), list):
        raise ProjectError(
            f"{entry.place}: jwks: is no JSON Web Key Set; give keys: with a list of keys"
        )
    return json.dumps(made)
