"""Soak the gateway: `make soak`, `MINUTES=30`; status 1 when anything is not as it must be."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from soak.run import soak
from soak.users import Times

from bench.published import publish


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument("--kill-every", type=float, default=0.0, help="minutes between two ends "
                        "of a worker, which needs a gateway that starts another")  # fmt: skip
    parser.add_argument("--result", type=Path, metavar="FILE", help="write the outcome as JSON; "
                        "one of a longer run stays")  # fmt: skip
    parser.add_argument("--replace", action="store_true", help="write it all the same")
    parser.add_argument("options", nargs="*", help="for the gateway, behind --")
    options = parser.parse_args()
    result = soak(
        options.minutes * 60,
        Times(),
        every=options.every,
        kill_every=options.kill_every * 60,
        options=tuple(options.options),
    )
    if options.result is not None:
        publish(
            options.result,
            written(result),
            lambda one: round(one["seconds"] / 60),  # Whole: no run ends to the second.
            "minutes",
            replace=options.replace,
        )
    print(summary(result))
    return 1 if result["violations"] else 0


def written(result: dict[str, Any]) -> str:
    """As JSON, with a sample to a line."""
    samples = ",\n  ".join(json.dumps(one) for one in result["samples"])
    facts = json.dumps({**result, "samples": None}, indent=1)
    return facts.replace('"samples": null', f'"samples": [\n  {samples}\n ]') + "\n"


def summary(result: dict[str, Any]) -> str:
    """A screen of text."""
    lines = [f"{result['seconds'] / 60:.1f} minutes, revision {result['revision']}"]
    lines += [f"{name:>12}: {number:,}" for name, number in result["outcomes"].items()]
    for outcome, kinds in result["kinds"].items():
        told = ", ".join(f"{kind} {number:,}" for kind, number in kinds.items())
        lines.append(f"{outcome}: {told}")
    memory, before, after = result["memory"], result["baseline"], result["after"]
    lines += [
        f"log: {result['log']}",
        f"memory: {memory['early']:g} MB early, {memory['late']:g} MB late, "
        f"{memory['slope']:+g} MB in ten minutes",
        f"descriptors: {before['descriptors']} before, {after['descriptors']} after; "
        f"threads: {before['threads']} before, {after['threads']} after",
        *[f"VIOLATION {violation}" for violation in result["violations"]],
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
