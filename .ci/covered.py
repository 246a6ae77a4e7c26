"""Measure which lines the suite runs, of the .py and of the .pyx, its parts and headers, and list those that it does not.

    python .ci/covered.py FOLDER [TESTS ...]

FOLDER is a copy of the sources in which the extension was built with gcc's --coverage. The lines of Cython are found by the comments that
it leaves in the .c: one was run if the first C line after such a comment was. Cython's own tracing (`linetrace`) cannot be used: coverage.py
runs Python at every line of it, in the middle of what no other thread, no signal handler and no garbage collection may see half done; the
suite crashes then. Uncovered lines have their reason in `.ci/uncovered.toml`; what has none is an error, and so is less than 97 %.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

BAR = 97
SETTINGS = """
[run]
core = ctrace
source = {folder}/src
data_file = {folder}/.coverage
parallel = true
patch =
    subprocess
    _exit
[report]
exclude_also =
    if TYPE_CHECKING:
"""
COMMENT = re.compile(r' */\* "(.*)":([0-9]+)$')


def gcov(folder):
    """Return what gcov knows of each file: how often each of its lines was run."""
    (counts,) = folder.glob("build/temp*/src/_ctrampoline.gcda")
    found = subprocess.run(["gcov", "--json-format", "--stdout", counts], cwd=folder, check=True, capture_output=True, text=True)
    files = {}
    for each in json.loads(found.stdout)["files"]:
        lines = files.setdefault(each["file"], {})
        for line in each["lines"]:
            number = line["line_number"]
            lines[number] = max(lines.get(number, 0), line["count"])
    return files


def of_cython(generated, counts):
    """Return how often the lines of each file of Cython were run, by what gcov counts in the .c that it made of them."""
    files, current, inside = {}, None, False
    for number, text in enumerate(generated.read_text().splitlines(), 1):
        begins = COMMENT.match(text)
        if begins:
            current, inside = (begins[1], int(begins[2])), True
        elif inside:
            inside = not text.lstrip().startswith("*/")
        elif current is not None and text.lstrip().startswith("}"):  # the end of a block, which Cython shows again
            current = None
        elif current is not None and number in counts:
            lines = files.setdefault(current[0], {})
            lines[current[1]] = max(lines.get(current[1], 0), counts[number])
            current = None
    return files


def of_c(folder):
    """Return the lines of the core in C that are run, and that are not, by file."""
    counted = gcov(folder)
    files = of_cython(folder / "src/_ctrampoline.c", counted["src/_ctrampoline.c"])
    files.update({name: lines for name, lines in counted.items() if name.startswith("src/") and name.endswith(".h")})
    found = {}
    for name, lines in files.items():
        path = name if name.startswith("src/") else f"src/{name}"
        if (folder / path).exists():
            found[path] = {number for number, count in lines.items() if count}, {number for number, count in lines.items() if not count}
    return found


def of_python(coverage, option):
    """Return the same of the files of Python."""
    subprocess.run([*coverage, "combine", "-q", option], check=True)
    subprocess.run([*coverage, "json", "-q", option, "-o", "coverage.json"], check=True)
    with open("coverage.json") as file:
        files = json.load(file)["files"]
    return {name: (set(each["executed_lines"]), set(each["missing_lines"])) for name, each in files.items()}


def unexplained(name, missing, reasons):
    """Print the uncovered lines of a file, each with its reason. Return how many have none."""
    texts, without = Path(name).read_text().splitlines(), 0
    known = {line: why for why, lines in reasons.get(name.removeprefix("src/"), {}).items() for line in lines}
    for number in sorted(missing):
        text = texts[number - 1].strip()
        without += text not in known
        print(f"{name}:{number}: {text}\n    {known.get(text, 'NO REASON IS GIVEN')}")
    return without


def main(folder, tests):
    os.chdir(folder)
    Path("coverage.ini").write_text(SETTINGS.format(folder=folder))
    coverage, option = [sys.executable, "-m", "coverage"], "--rcfile=coverage.ini"
    subprocess.run([*coverage, "erase", option], check=True)
    for old in folder.glob("build/temp*/src/*.gcda"):
        old.unlink()
    command = [*coverage, "run", option, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "900", *(tests or ["tests"])]
    good = subprocess.run(command, check=False).returncode == 0
    return report(folder, {**of_c(folder), **of_python(coverage, option)}) and good


def report(folder, files):
    """Print what is not covered, why, and the sums. Return whether they suffice."""
    reasons = tomllib.loads((folder / ".ci/uncovered.toml").read_text())
    sums, without = {}, 0
    for name, (run, missing) in sorted(files.items()):
        without += unexplained(name, missing, reasons)
        for kind in ("py",) if name.endswith(".py") else ("h",) if name.endswith(".h") else ("pyx, .pxi, .pxd",):
            covered, lines = sums.get(kind, (0, 0))
            sums[kind] = covered + len(run), lines + len(run) + len(missing)
    for kind, (covered, lines) in sums.items():
        print(f".{kind}: {covered} of {lines} lines, {100 * covered / lines:.2f} %")
    print(f"{without} uncovered lines without a reason")
    return not without and len(sums) == 3 and all(covered * 100 >= lines * BAR for covered, lines in sums.values())


if __name__ == "__main__":
    sys.exit(not main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
