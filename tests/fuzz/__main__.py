"""Fuzz every target for a number of inputs: `make fuzz`, or `python -m fuzz` beside `fuzz`."""

import argparse
import importlib.metadata
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from fuzz.targets import FOLDER, ROOT, TARGETS, Target

from bench.environment import revision
from bench.published import publish

INPUTS = 10_000_000
MINUTES = 60.0

FINDINGS = FOLDER / "findings"
"""Inputs that a run has found; each belongs among the seeds once it is mended."""

_SLOWEST_INPUT = "60"
"""Seconds, beyond which an input is a finding."""

_MOST_MEMORY = "512"
"""Megabytes of the fuzzing process, beyond which it is one."""

_STATE = re.compile(r"\bcov: (\d+) ft: \d+ corp: (\d+)/")
_INPUTS = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)
_MEMORY = re.compile(r"^stat::peak_rss_mb:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What came of a target."""

    name: str
    about: str
    inputs: int
    seconds: int
    edges: int
    """Branches of the gateway's code that were taken."""
    kept: int
    """Inputs that each took a way no other had taken."""
    peak_rss_mb: int
    findings: int
    """Inputs after which something was not as it must be."""


def fuzz(target: Target, inputs: int, seconds: int) -> Outcome:
    """Run a target in a process of its own, with a corpus that begins at its seeds."""
    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        words = Path(folder, "words")
        words.write_text("".join([f'"{_escaped(word)}"\n' for word in target.words]))
        command = [
            sys.executable,
            *("-m", "fuzz.guided", target.name),
            *(f"-runs={inputs}", f"-max_total_time={seconds}", f"-max_len={target.longest}"),
            *(f"-dict={words}", f"-timeout={_SLOWEST_INPUT}", f"-rss_limit_mb={_MOST_MEMORY}"),
            *(f"-seed={random.SystemRandom().getrandbits(31)}", "-print_final_stats=1"),
            *(f"-artifact_prefix={FINDINGS}/{target.name}-",),
            *(str(corpus), str(target.seed_folder)),
        ]
        begun = time.monotonic()
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        done = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=seconds + 120,
        )
        took = time.monotonic() - begun
    executed = _INPUTS.search(done.stderr)
    states = _STATE.findall(done.stderr)
    if executed is None or not states:
        raise SystemExit(f"{target.name}: the fuzzer did not run\n{done.stderr[-2000:]}")
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)
    memory = _MEMORY.search(done.stderr)
    return Outcome(
        name=target.name,
        about=target.about,
        inputs=int(executed[1]),
        seconds=round(took),
        edges=int(states[-1][0]),
        kept=int(states[-1][1]),
        peak_rss_mb=int(memory[1]) if memory else 0,
        findings=1 if done.returncode else 0,
    )


def _escaped(word: bytes) -> str:
    return "".join([f"\\x{byte:02x}" for byte in word])


def with_others(path: Path, outcomes: list[Outcome]) -> list[dict[str, object]]:
    """The outcomes, and what `path` has of other targets at the same revision."""
    known: dict[str, dict[str, object]] = {}
    if path.exists():
        result = json.loads(path.read_text("utf-8"))
        if result["revision"] == revision():
            known = {target["name"]: target for target in result["targets"]}
    known |= {outcome.name: asdict(outcome) for outcome in outcomes}
    return [known[name] for name in TARGETS if name in known]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of all targets together")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which it ends")
    parser.add_argument("--jobs", type=int, default=1, help="targets at the same time")
    parser.add_argument("--target", action="append", choices=[*TARGETS], help="only this one")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input of --target")
    parser.add_argument(
        "--result",
        type=Path,
        metavar="FILE",
        help="write the outcome as JSON; a result of other targets is completed, and one of more "
        "inputs stays",
    )
    parser.add_argument("--replace", action="store_true", help="write it all the same")
    options = parser.parse_args()
    targets = [TARGETS[name] for name in options.target or TARGETS]
    if options.replay is not None:
        for target in targets:
            target.check(options.replay.read_bytes())
        return 0
    total = sum(target.share for target in targets)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def fuzz_share(target: Target) -> Outcome:
        share = target.share / total
        outcome = fuzz(target, int(options.inputs * share), int(options.minutes * 60 * share))
        print(
            f"{outcome.name}: {outcome.inputs:,} inputs in {outcome.seconds} s, "
            f"{outcome.edges} edges, {outcome.findings} findings",
            flush=True,
        )
        return outcome

    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = [*pool.map(fuzz_share, targets)]
    if options.result is not None:
        result = {
            "format": 1,
            "started_at": started_at,
            "revision": revision(),
            "versions": {
                "python": platform.python_version(),
                "atheris": importlib.metadata.version("atheris"),
                "httptools": importlib.metadata.version("httptools"),
            },
            "targets": with_others(options.result, outcomes),
        }
        publish(
            options.result,
            json.dumps(result, indent=1) + "\n",
            lambda one: sum(each["inputs"] for each in one["targets"]),
            "inputs",
            replace=options.replace,
        )
    findings = sum(outcome.findings for outcome in outcomes)
    if findings:
        print(f"findings are in {FINDINGS}", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
