"""The command line: `python -m bench [WORKLOAD ...] [--json FILE] [--plot FILE.svg] [--quick] [--check] ...`."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from bench import _plot, _registry, _runner, _table
from bench._check import check
from bench._measure import show_progress
from bench._workloads import BY_NAME, WORKLOADS

OURS = {"c": ("C core",), "python": ("Python core",), "both": ("C core", "Python core")}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(prog="python -m bench", description="Measure the package beside the floor, the recipe and its rivals.")
    found.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="what to measure, or to check (default: all; see --list)")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the results: raw best times, ratios, machine, versions")
    found.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the results as SVG")
    found.add_argument("--from", dest="source", type=Path, metavar="FILE", help="take the results from an earlier --json, measure nothing")
    found.add_argument("--quick", action="store_true", help="fewer columns, fewer rounds: about a minute, rougher figures")
    found.add_argument("--list", action="store_true", help="list workloads and implementations")
    found.add_argument("--only", nargs="+", metavar="IMPL", help="only these implementations, and those they are divided by")
    found.add_argument("--core", choices=sorted(OURS), default="both", help="which core of this package (default: both)")
    found.add_argument(
        "--check",
        action="store_true",
        help="hold the cores against the project's bars; exit status 1 if one is missed",
    )
    found.add_argument("--report", type=Path, metavar="FILE.md", help="with --check: write what it prints, with machine and versions")
    return found


def listing() -> str:
    """Return what there is to measure."""
    lines = [f"{workload.name:12} {workload.what}" for workload in WORKLOADS]
    return "\n".join([*lines, "", *(f"{name:16} {_registry.kind_of(name).idiom}" for name in _registry.NAMES)])


def selected(arguments: argparse.Namespace, complain: Any) -> list[str]:
    """Return the names of the implementations to measure."""
    known = {name.lower(): name for name in _registry.NAMES}
    for name in arguments.only or ():
        if name.lower() not in known:
            complain(f"no implementation {name!r}: choose from {', '.join(repr(name) for name in _registry.NAMES)}")
    names = [known[name.lower()] for name in arguments.only] if arguments.only else list(_registry.NAMES)
    return [name for name in names if name not in OURS["both"] or name in OURS[arguments.core]]


def main() -> int:
    """Do what the command line says and return the exit status."""
    commands = parser()
    arguments = commands.parse_intermixed_args()
    for name in arguments.workloads:
        if name not in BY_NAME:
            commands.error(f"no workload {name!r}: choose from {', '.join(BY_NAME)}")
    if arguments.report and not arguments.check:
        commands.error("--report is the report of --check: give that too")
    for path in (arguments.json, arguments.plot, arguments.report):
        if path and not path.resolve().parent.is_dir():
            commands.error(f"no folder {path.resolve().parent} to write {path.name} into")
    if arguments.plot and not arguments.source and arguments.workloads and not _plot.DRAWN & set(arguments.workloads):
        commands.error(f"--plot draws {', '.join(sorted(_plot.DRAWN))}, none of which is asked for")
    if arguments.list:
        print(listing())
        return 0
    warnings.simplefilter("ignore")  # rivals' deprecated calls would be printed, and counted, in the timed part
    logging.disable()  # asyncio and tornado log errors that nobody fetched, such as the RecursionErrors
    if arguments.source:
        results = json.loads(arguments.source.read_text(encoding="utf-8"))
        if results.get("schema") != _runner.SCHEMA:
            commands.error(f"{arguments.source} has schema {results.get('schema')!r}, not {_runner.SCHEMA}: measure again")
    else:
        names = selected(arguments, commands.error)
        for name in names:
            _runner.describe(name)
        if hasattr(gc, "freeze"):
            gc.freeze()  # what is imported by now need not be looked through before each run
        if arguments.check:
            return 0 if check(show_progress, arguments.workloads, arguments.report) else 1
        workloads = [BY_NAME[name] for name in arguments.workloads] or list(WORKLOADS)
        results = _runner.run(workloads, names, arguments.quick, show_progress)
        show_progress("")
    print(_table.show(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        arguments.plot.write_text(_plot.draw(results), encoding="utf-8")
    return 1 if failures(results) else 0


def failures(results: dict[str, Any]) -> list[str]:
    """Report what failed in this package itself, which is a fault and not just a missing figure."""
    found = [
        f"{name}, {workload['name']} {column}: {reason}"
        for workload in results["workloads"]
        for name in OURS["both"]
        for column, reason in workload["reasons"].get(name, {}).items()
        if reason.startswith("failed")
    ]
    for line in found:
        print(line, file=sys.stderr)
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
