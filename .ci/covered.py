"""Measure which lines the suite runs, of the .py and of the .pyx and its parts, and list those that it does not.

    python .ci/covered.py FOLDER [TESTS ...]

FOLDER is a copy of the sources in which the extension was built with TRAMPOLINE_TRACE=1, so that Cython tells the tracer of every line.
"""

import json
import os
import subprocess
import sys

BAR = 97
SETTINGS = """
[run]
plugins = Cython.Coverage
core = ctrace
source = src
parallel = true
[report]
exclude_also =
    if TYPE_CHECKING:
    raise NotImplementedError
"""


def spans(lines):
    """Return line numbers as text, runs of them as spans."""
    told, lines = [], sorted(lines)
    while lines:
        first = last = lines.pop(0)
        while lines and lines[0] == last + 1:
            last = lines.pop(0)
        told.append(str(first) if first == last else f"{first}-{last}")
    return ", ".join(told)


def main(folder, tests):
    os.chdir(folder)
    with open("coverage.ini", "w") as file:
        file.write(SETTINGS)
    coverage = [sys.executable, "-m", "coverage"]
    option = "--rcfile=coverage.ini"
    subprocess.run([*coverage, "erase", option], check=True)
    done = subprocess.run(
        [*coverage, "run", option, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "900", *(tests or ["tests"])]
    )
    subprocess.run([*coverage, "combine", "-q", option], check=True)
    subprocess.run([*coverage, "json", "-q", option, "-o", "coverage.json"], check=True)
    with open("coverage.json") as file:
        files = json.load(file)["files"]
    totals = {"py": [0, 0], "pyx": [0, 0]}
    for name, found in sorted(files.items()):
        kind = "py" if name.endswith(".py") else "pyx"
        summary = found["summary"]
        totals[kind][0] += summary["covered_lines"]
        totals[kind][1] += summary["num_statements"]
        if found["missing_lines"]:
            print(f"{name} {summary['percent_covered']:.1f} %: {spans(found['missing_lines'])}")
    good = done.returncode == 0
    for kind, (covered, lines) in totals.items():
        print(f".{kind}: {covered} of {lines} lines, {100 * covered / max(1, lines):.2f} %")
        good = good and lines > 0 and covered * 100 >= lines * BAR
    return not good


sys.exit(main(sys.argv[1], sys.argv[2:]))
