"""`python -m bench.readme bench/results/cpython-3.12.json`: print the README's table of figures from the results of an earlier run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench._table import amount

ROWS = ("C core", "Python core", "recipe", "PyPI trampoline", "yield from", "asyncio", "uvloop", "greenlet", "trio")
COLUMNS = (  # heading, workload, column
    ("a call", "calls", "return"),
    ("a call, 10,000 pseudothreads in turn", "turns", "10,000"),
    ("a call at depth 900", "depth", "900"),
    ("at depth 10,000", "depth", "10,000"),
    ("1,000,000 deep and back", "recursion", "1,000,000"),
    ("an error through 100 levels", "errors", "100"),
    ("add and end", "add", "100,000"),
    ("bytes, parked", "memory", "parked, traced"),
    ("bytes, a level", "memory", "level, traced"),
)


def main(path: str) -> int:
    """Print the table."""
    results = json.loads(Path(path).read_text())
    workloads: dict[str, Any] = {workload["name"]: workload for workload in results["workloads"]}
    print("| | " + " | ".join(heading for heading, _, _ in COLUMNS) + " |")
    print("| --- |" + " ---: |" * len(COLUMNS))
    for row in ROWS:
        cells = []
        for _, name, column in COLUMNS:
            figure = workloads[name]["figures"][row].get(column)
            cells.append(amount(figure["best"], workloads[name]["unit"]) if figure else "-")
        print(f"| {row} | " + " | ".join(cells) + " |")
    python, machine = results["python"], results["machine"]
    about = f"{python['implementation']} {python['version']}, {machine['processor']}, {machine['cores']} cores"
    print(f"\n{about}, {results['date'][:10]}; CPU time, best of many")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".json"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
