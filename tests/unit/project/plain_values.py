"""Nodes without their places."""

from typing import Any

from gateway.project.nodes import Array, Node, Text


def plain(node: Node) -> Any:
    """The values alone."""
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Array):
        return [plain(item) for item in node.items]
    return {name: plain(entry.value) for name, entry in node.entries.items()}
