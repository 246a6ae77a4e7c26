"""From workloads and implementations to cells, and from measured cells to results: the dictionary that becomes table, plot and JSON.

    {"schema": 1, "date": ..., "machine": {...}, "python": {...}, "quick": false,
     "implementations": [{"name": "C core", "version": "...", "idiom": "...", "reason": ""}, ...],
     "workloads": [{"name": "calls", "what": "...", "means": "", "unit": "s", "took": 7.5,
                    "columns": [{"name": "return", "operations": 8361, "unit": "s"}, ...],
                    "divisors": [{"mark": "f", "implementation": "yield from", "column": "return", "text": "..."}, ...],
                    "figures": {"C core": {"return": {"best": 1.6e-07, "median": 1.7e-07, "runs": 20, "loops": 8, "ratios": {"f": 1.2}}}},
                    "reasons": {"asyncio": {"yield": "why there is no figure"}}}, ...]}

`best` is for one operation, in the column's unit ("1/s": so many a second). `means` says which client and cores a server was measured
with. `null` as a divisor's implementation means the row's own, as its column the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import _machine, _registry, _subprocess, _waiting
from bench._measure import Cell, Effort, Progress, SkippedError, Unit, measure
from bench._workloads import BY_NAME, Column, Workload

SCHEMA = 1


def build(implementation: str, workload: Workload, column: Column) -> Callable[[], Unit]:
    """Return what makes the unit: it loads the implementation, and raises SkippedError where there is nothing to measure."""

    kind = _registry.kind_of(implementation)

    def make() -> Unit:
        name = f"memory_{column.argument[0]}" if workload.name == "memory" else workload.name
        if name in _waiting.WORKLOADS:
            offered = _waiting.is_offered(name, implementation)
        else:
            offered = bool(kind.imports) if name == "import" else hasattr(kind, name)
        if name in kind.without or not offered:
            raise SkippedError(kind.without.get(name, kind.not_offered))
        loaded = _registry.load(implementation)
        if workload.name == "memory":
            return _subprocess.memory_unit(loaded, *column.argument)
        if workload.name == "import":
            return _subprocess.import_unit(loaded)
        if name in _waiting.WORKLOADS:
            return _waiting.unit(name, loaded, *(column.argument if isinstance(column.argument, tuple) else ("cpu", column.argument)))
        unit: Unit = getattr(loaded, name)(column.argument)
        return unit

    return make


def cell(implementation: str, workload_name: str, column_name: str) -> Cell:
    """Return the cell of an implementation at a workload's column."""
    workload = BY_NAME[workload_name]
    column = next(column for column in workload.columns if column.name == column_name)
    return Cell(implementation, column_name, column.operations, build(implementation, workload, column), workload.fixed)


def run(workloads: Sequence[Workload], names: Sequence[str], quick: bool, progress: Progress) -> dict[str, Any]:
    """Measure the workloads with the implementations, and with those that the figures are divided by. Return the results."""
    results: dict[str, Any] = {"schema": SCHEMA, **_machine.describe(), "quick": quick, "implementations": [], "workloads": []}
    used: set[str] = set()
    for workload in workloads:
        divisors = {divisor.implementation for divisor in workload.divisors}
        rows = [
            name
            for name in _registry.NAMES
            if (name in names or name in divisors) and workload.name in (_registry.kind_of(name).only or BY_NAME)
        ]
        used.update(rows)
        results["workloads"].append(run_one(workload, rows, quick, progress))
    results["implementations"] = [describe(name) for name in _registry.NAMES if name in used]
    return results


def run_one(workload: Workload, rows: Sequence[str], quick: bool, progress: Progress) -> dict[str, Any]:
    """Measure one workload and return its part of the results."""
    columns = workload.quick if quick else workload.columns
    cells = [Cell(row, column.name, column.operations, build(row, workload, column), workload.fixed) for column in columns for row in rows]
    effort = Effort(workload.seconds, workload.least, 100, limit=workload.limit, patience=workload.patience)
    if quick:
        rounds, patience = (4, 0.5) if workload.seconds else (2, workload.patience)
        least = min(rounds, workload.least)
        effort = Effort(workload.seconds / 10, least, 50, shortest=0.005, limit=workload.limit / 4, patience=patience)
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # a rival prints its state when it fails; the reason is kept
        measure(cells, effort, lambda text: progress(f"{workload.name}: {text}"))
    figures: dict[str, Any] = {row: {} for row in rows}
    reasons: dict[str, dict[str, str]] = {row: {} for row in rows}
    units = {column.name: column.unit or workload.unit for column in columns}
    for found in cells:
        if found.reason:
            reasons[found.implementation][found.column] = found.reason
        else:
            rate = units[found.column] == "1/s"
            figures[found.implementation][found.column] = {
                "best": 1 / found.best if rate else found.best,
                "median": 1 / found.median if rate else found.median,
                "runs": len(found.samples),
                "loops": found.loops,
            }
    for row, of_row in figures.items():
        for column_name, figure in of_row.items():
            figure["ratios"] = {}
            for divisor in workload.divisors:
                under = figures.get(divisor.implementation or row, {}).get(divisor.column or column_name)
                if under:
                    figure["ratios"][divisor.mark] = figure["best"] / under["best"]
    return {
        "name": workload.name,
        "what": workload.what,
        "means": _waiting.means(workload.name),
        "unit": workload.unit,
        "took": round(time.perf_counter() - began, 1),
        "columns": [{"name": column.name, "operations": column.operations, "unit": units[column.name]} for column in columns],
        "divisors": [dataclasses.asdict(divisor) for divisor in workload.divisors],
        "figures": figures,
        "reasons": {row: of_row for row, of_row in reasons.items() if of_row},
    }


def describe(name: str) -> dict[str, str]:
    """Return what there is to say about an implementation, with the reason where it could not be loaded."""
    kind = _registry.kind_of(name)
    try:
        version, reason = _registry.load(name).version(), ""
    except SkippedError as skipped:
        version, reason = "", str(skipped)
    return {"name": name, "version": version, "idiom": kind.idiom, "reason": reason}
