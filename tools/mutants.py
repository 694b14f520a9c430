"""Runs mutmut over modules of the gateway, each with the unit tests that mirror it.

`python tools/mutants.py MODULE…` takes paths such as `gateway/wsgi/pool.py` or `wsgi/pool`.
Without one it takes the modules that have changed since `--since` (by default `origin/main`, or
`HEAD~1` where that is not known).  Survivors are printed as differences; the exit status is then 1.

mutmut works on a copy: its settings belong to one module at a time, and a run that is interrupted
leaves nothing in the work tree.  It changes functions and methods, but neither decorated ones
(properties) nor constants of a module.
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

COPIED = ("gateway", "tests", "bench", "docs", "examples", "tools", "pyproject.toml")
"""What unit tests read."""

FALLBACK_REVISION = "HEAD~1"

CAUGHT = ("killed", "timeout", "caught by type check")
"""The states of a mutant that tests or mypy have found."""

SETTINGS = """
[tool.mutmut]
source_paths = ["gateway"]
only_mutate = ["{module}"]
also_copy = ["bench", "docs", "examples", "tools"]
pytest_add_cli_args = ["-p", "no:xdist", "-p", "no:cacheprovider", "--timeout=8"]
pytest_add_cli_args_test_selection = [{tests}]
type_check_command = ["{python}", "{script}", "mypy", "{module}"]
process_isolation = "fork"
use_git_change_detection = false
track_dependencies = false
timeout_multiplier = 5.0
timeout_constant = 3.0
"""


def main(arguments: list[str]) -> int:
    """Try the modules; the exit status."""
    if arguments[:1] == ["mypy"]:
        report_types(arguments[1])
        return 0
    parser = argparse.ArgumentParser(prog="make mutants", description="Mutation tests")
    parser.add_argument("modules", nargs="*", help="such as wsgi/job_queue")
    parser.add_argument("--since", default="", help="the revision to compare with")
    parser.add_argument("--tests", nargs="+", default=[], help="in place of the mirrored ones")
    options = parser.parse_args(arguments)
    try:
        modules = [module_at(name) for name in options.modules] or changed(options.since)
    except LookupError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 2
    if not modules:
        print("no module of the gateway has changed")
        return 0
    statuses = [try_module(module, options.tests or mirrored_tests(module)) for module in modules]
    return max(statuses)


def module_at(name: str, root: Path = ROOT) -> str:
    """The path of a module from the root; `name` is that, or short for it."""
    path = name.removesuffix(".py").removeprefix("gateway/")
    if not (root / "gateway" / f"{path}.py").is_file():
        raise LookupError(f"{name}: no such module; name one as in MODULES=wsgi/job_queue")
    return f"gateway/{path}.py"


def changed(since: str, root: Path = ROOT) -> list[str]:
    """The modules that differ from the revision `since`, or from the default one."""
    for revision in [since] if since else ["origin/main", FALLBACK_REVISION]:
        command = ["git", "diff", "--name-only", "--diff-filter=d", revision, "--", "gateway"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return [
                path
                for path in done.stdout.split()
                if path.endswith(".py") and (root / path).stat().st_size
            ]
    raise LookupError(
        f"{since or FALLBACK_REVISION}: no such revision; name one as in SINCE=HEAD~3"
    )


def mirrored_tests(module: str, root: Path = ROOT) -> list[str]:
    """The test file that mirrors the module; all of its folder where there is none."""
    path = Path(module).relative_to("gateway")
    folder = Path("tests/unit") / path.parent
    mirror = folder / f"test_{path.name}"
    return [str(mirror if (root / mirror).is_file() else folder)]


def try_module(module: str, tests: list[str]) -> int:
    """Run mutmut over one module; 1 when a mutant survives, 2 when it cannot run."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gateway-mutants-") as folder:
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source,
                    Path(folder, name),
                    ignore=shutil.ignore_patterns("__pycache__", ".peers", "wheels"),
                )
            else:
                shutil.copy(source, folder)
        quoted = ", ".join(f'"{test}"' for test in tests)
        with Path(folder, "pyproject.toml").open("a", encoding="utf-8") as file:
            values = {"module": module, "tests": quoted, "python": sys.executable}
            file.write(SETTINGS.format(**values, script=Path(__file__).resolve()))
        done = mutmut(folder, "run", "--max-children", "1")
        listed = mutmut(folder, "results", "--all", "true").stdout.splitlines()
        states = dict(line.strip().rsplit(": ", 1) for line in listed if ": " in line)
        if not states:
            print(f"{module}: mutmut found nothing to change, or failed\n{done.stdout[-2000:]}")
            return 0 if done.returncode == 0 else 2
        left = [name for name, state in states.items() if state not in CAUGHT]
        for name in left:
            print(mutmut(folder, "show", name).stdout, flush=True)
    seconds = time.monotonic() - began
    print(f"{module}: {len(states)} mutants, {len(left)} left ({seconds:.0f} s)", flush=True)
    return 1 if left else 0


def report_types(module: str) -> None:
    """Print what mypy finds in the mutants of a module, as mutmut wants it.

    What it finds in mutmut's own code around them would end the run.
    """
    cache = f"--cache-dir={ROOT / '.mypy_cache'}"
    command = [sys.executable, "-m", "mypy", module, "--output=json", cache]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    mutants = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(Path(module).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and re.search(r"__mutmut_\d+$", node.name)
    ]
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            is_own = Path(found["file"]) == Path(module)
            if is_own and any(found["line"] in lines for lines in mutants):
                print(line)


def mutmut(folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of mutmut in `folder`."""
    return subprocess.run(
        ["nice", "-n", "10", sys.executable, "-m", "mutmut", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
