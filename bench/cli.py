"""The command `python -m bench`.

Status 0: done. 1: a run failed; the others are there. 2: something is wrong that the user can mend,
told in one line on standard error. 130: interrupted; what was measured until then is in the file.
"""

import argparse
import math
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn, TypeVar

from bench import compare
from bench.environment import (
    UsageError,
    installed,
    is_installed,
    pin_to_client_core,
    refuse_missing,
)
from bench.install import install
from bench.peers import PEERS, ROOT, Peer
from bench.results import Results
from bench.scenarios import SCENARIOS, Scenario
from bench.series import (
    begun,
    expected_seconds,
    fits,
    in_words,
    measure_all,
    plan,
    tools,
    unused_path,
)
from bench.suites import SHORT, SUITES

PAGE = ROOT / "docs" / "benchmarks.md"

_COMPARED_SCENARIOS = "hello-32,flask-32"
_COMPARED_ROUNDS = 10
_OVERHEAD_ROUNDS = 3
_OVERHEAD_SECONDS = 1.0

_Entry = TypeVar("_Entry")


def main(arguments: Sequence[str]) -> int:
    """Run the command and give its exit status; `arguments` without the program's own name."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _main(arguments)
    except UsageError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _main(arguments: Sequence[str]) -> int:
    # These two read their arguments themselves.
    if arguments[:1] == ["overhead"]:
        from bench.overhead import main as overhead  # noqa: PLC0415

        return overhead(arguments[1:])
    if arguments[:1] == ["instructions"]:
        from bench.instructions import main as instructions  # noqa: PLC0415

        return instructions(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if "command" not in options:
        parser.print_help()
        return 0
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def _run(options: argparse.Namespace) -> int:
    asked = _named(options.peers, PEERS, "peer") if options.peers else None
    suite = SUITES[options.suite]
    if options.scenarios:
        scenarios = _named(options.scenarios, {**SCENARIOS, **suite}, "scenario")
    else:
        scenarios = [*suite.values()]
    results = _measured(_peers_of(scenarios, asked), options)
    if options.page:
        _render(results, options.page)
    return _status(results)


def _compare(options: argparse.Namespace) -> int:
    scenarios = _named(options.scenarios, {**SCENARIOS, **SUITES[SHORT]}, "scenario")
    if options.old == options.new:
        raise UsageError(f"{options.old} is compared with itself")
    with ExitStack() as stack:
        peers = [compare.gateway_of(revision, stack) for revision in (options.old, options.new)]
        results = _measured(dict.fromkeys(scenarios, peers), options)
    print(compare.table(results, scenarios, peers[0].name, peers[1].name))
    return _status(results)


def _report(options: argparse.Namespace) -> int:
    try:
        results = Results.load(options.results)
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None
    _render(results, options.page)
    return 0


def _list(_: argparse.Namespace) -> int:
    print("peers")
    for peer in PEERS.values():
        version = installed().get(peer.needs[0], "") if peer.needs else "this"
        print(f"  {peer.name:22} {version if is_installed(peer) else 'not installed'}")
    print("\nscenarios")
    for scenario in SCENARIOS.values():
        suites = ", ".join(name for name, suite in SUITES.items() if scenario.name in suite)
        print(f"  {scenario.name:22} {scenario.title} ({suites})")
    print()
    for name, suite in SUITES.items():
        turns = plan({one: _usual_peers(one) for one in suite.values()}, None, 0)
        print(f"the {name} suite has {len(turns)} runs: {in_words(expected_seconds(turns))}")
    return 0


def _install(_: argparse.Namespace) -> int:
    install()
    return 0


def _measured(peers_of: Mapping[Scenario, Sequence[Peer]], options: argparse.Namespace) -> Results:
    """All runs. When interrupted, the file has those that were made, and what is raised goes on."""
    refuse_missing(tools(peers_of))
    turns = plan(peers_of, options.rounds, options.seed)
    results = begun(turns, seed=options.seed, rounds=options.rounds, seconds=options.seconds)
    path: Path | None = options.output or (unused_path(results) if options.is_kept else None)
    _save(results, path)
    pin_to_client_core()
    expected = in_words(expected_seconds(turns, options.seconds))
    print(f"{len(turns)} runs, about {expected}", file=sys.stderr)
    try:
        for line in measure_all(turns, results, options.seconds):
            _save(results, path)
            print(line, file=sys.stderr, flush=True)
        if options.overhead:
            from bench.overhead import measure as overhead  # noqa: PLC0415

            results.overhead = overhead(_OVERHEAD_ROUNDS, _OVERHEAD_SECONDS)
        results.is_complete = True
    finally:
        # A second Ctrl-C would otherwise end this too.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        _save(results, path)
        if path:
            what = "results" if results.is_complete else "interrupted; results so far"
            print(f"{what}: {path}", file=sys.stderr)
        signal.signal(signal.SIGINT, before)
    return results


def _save(results: Results, path: Path | None) -> None:
    if path:
        try:
            results.save(path)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None


def _render(results: Results, page: Path) -> None:
    from bench.report import render  # noqa: PLC0415

    try:
        render(results, page, page.with_suffix(""))
    except OSError as error:
        raise UsageError(f"cannot write {page}: {error.strerror}") from None
    print(f"page: {page}", file=sys.stderr)


def _status(results: Results) -> int:
    failed = [run for run in results.runs if run.failure is not None]
    names = dict.fromkeys(f"{run.scenario} {run.peer}" for run in failed)
    for name in names:
        print(f"bench: failed: {name}", file=sys.stderr)
    return 1 if failed else 0


def _named(names: str, known: Mapping[str, _Entry], kind: str) -> list[_Entry]:
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise UsageError(f"no {kind} {', '.join(map(repr, unknown))}; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names.split(","))]


def _peers_of(
    scenarios: Sequence[Scenario], asked: Sequence[Peer] | None
) -> dict[Scenario, list[Peer]]:
    """Who takes part in what: those asked for, else the scenario's own that are installed.

    Raises:
        UsageError: one that was asked for is not installed, or nobody is left.
    """
    absent = [peer.name for peer in asked or () if not is_installed(peer)]
    if absent:
        raise UsageError(f"{', '.join(absent)} not installed: python -m bench install")
    found = {}
    for scenario in scenarios:
        peers = [*asked] if asked is not None else _usual_peers(scenario)
        # Without its extra arguments a peer would do something else than the others.
        ready = [one for one in peers if is_installed(one) and fits(scenario, one)]
        left_out = [one.name for one in peers if one not in ready]
        if left_out:
            print(f"{scenario.name}: without {', '.join(left_out)}", file=sys.stderr)
        if ready:
            found[scenario] = ready
    if not found:
        raise UsageError("nothing is left to measure")
    return found


def _usual_peers(scenario: Scenario) -> list[Peer]:
    return [*PEERS.values()] if scenario.peers is None else [PEERS[one] for one in scenario.peers]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m bench",
        description="Measures the gateway beside other servers.",
        epilog="Also: overhead and instructions; each has its own --help.",
    )
    commands = parser.add_subparsers(title="commands")
    run = commands.add_parser("run", help="measure peers under scenarios, in turns")
    run.add_argument("--suite", choices=tuple(SUITES), default=SHORT)
    run.add_argument("--peers", metavar="A,B", help="in place of each scenario's own")
    run.add_argument("--scenarios", metavar="A,B", help="in place of a suite")
    run.add_argument("--overhead", action="store_true", help="CPU time per invocation as well")
    run.add_argument("--page", type=Path, help="render this page in the end")
    _add_measuring(run, None)
    run.set_defaults(command=_run, is_kept=True)

    both = commands.add_parser("compare", help="measure two revisions of the gateway, in turns")
    both.add_argument("old", metavar="REV", help="a revision of git")
    both.add_argument("new", metavar="REV2", nargs="?", help="another; the working tree if none")
    both.add_argument("--scenarios", metavar="A,B", default=_COMPARED_SCENARIOS)
    _add_measuring(both, _COMPARED_ROUNDS)
    both.set_defaults(command=_compare, is_kept=False, overhead=False)

    report = commands.add_parser("report", help="render the page of a set of results")
    report.add_argument("results", type=Path, metavar="FILE")
    report.add_argument("--page", type=Path, default=PAGE)
    report.set_defaults(command=_report)

    commands.add_parser("list", help="what there is").set_defaults(command=_list)
    commands.add_parser("install", help="add tools and peers").set_defaults(command=_install)
    return parser


def _add_measuring(parser: argparse.ArgumentParser, rounds: int | None) -> None:
    told = f"{rounds}" if rounds else "each scenario's own"
    parser.add_argument("--rounds", type=_positive(int), default=rounds, help=f"[{told}]")
    parser.add_argument("--seconds", type=_positive(float), help="of each run")
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON of all runs")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the order")


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return number
