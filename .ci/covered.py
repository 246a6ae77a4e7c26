"""Measure which lines the suite runs, of the .py and of the .pyx, its parts and headers, and list those that it does not.

    python .ci/covered.py FOLDER [TESTS ...]

FOLDER is a copy of the sources in which the extension was built with gcc's --coverage. The lines of Cython are found by the comments that
it leaves in the .c: one was run if the first C line after such a comment was. Cython's own tracing (`linetrace`) is of no use: coverage.py
runs Python at every line of it, in the middle of what no other thread, signal handler or garbage collection may see half done; the suite
crashes.

The suite runs on both cores, and then what uses the public names on the core in Python, where there is no other. What free-threaded CPython
ran in the folder `free_threaded` beside FOLDER counts, too: elsewhere the compiler leaves out what is for it alone. Uncovered lines have
their reason in `.ci/uncovered.toml`, with the function in which they stand; what has none is an error, and so is less than 97 %.

    python .ci/covered.py FOLDER --again    report once more what was measured last
    python .ci/covered.py --reasons         only say which reasons are for lines that are not there any more, as .ci/lint does
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # 3.10, where pytest and mypy bring this one
    import tomli as tomllib

BAR = 97
COVERAGE, OPTION = [sys.executable, "-m", "coverage"], "--rcfile=coverage.ini"
ALONE = [f"tests/test_{name}.py" for name in ("virtual", "time", "timers", "timeout", "timeout_ends", "aio", "command")]
NOT_HERE = [  # in both there is no memory, and coverage.py needs some; without optimising the second takes more than its time
    "tests/test_bad_input.py::test_no_memory_at_any_allocation_leaves_all_queued_or_ended",
    "tests/test_depth.py::test_no_memory_for_another_call",
]
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
omit =
    *.pyx
    *.pxi
exclude_also =
    if TYPE_CHECKING:
"""
FUNCTION = re.compile(r"( *)(?:async def|def|cdef|cpdef|static) (?:.*?[ *])?(\w+)\(.*[:{(,]$")
INLINED = re.compile(r" *(?:\} else )?Py_X?DECREF\(")  # of no line of ours, where the GIL is: it has those of object.h
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


def of_python():
    """Return the same of the files of Python."""
    subprocess.run([*COVERAGE, "combine", "-q", OPTION], check=True)
    subprocess.run([*COVERAGE, "json", "-q", OPTION, "-o", "coverage.json"], check=True)
    with open("coverage.json") as file:
        files = json.load(file)["files"]
    return {name: (set(each["executed_lines"]), set(each["missing_lines"])) for name, each in files.items()}


def told(texts, number):
    """Return the text of a line, with the function in which it stands."""
    depth = len(texts[number - 1]) - len(texts[number - 1].lstrip())
    for above in reversed(texts[: number - 1]):
        begins = FUNCTION.match(above)
        if begins and len(begins[1]) < depth:
            return f"{begins[2]}: {texts[number - 1].strip()}"
        if above.startswith(("if ", "else:")):  # it stands in no function
            break
    return texts[number - 1].strip()


def unexplained(name, missing, reasons):
    """Print the uncovered lines of a file, each with its reason. Return how many have none."""
    texts, without = Path(name).read_text().splitlines(), 0
    known = {line: why for why, files in reasons.items() for line in files.get(name.rpartition("/")[2], ())}
    for number in sorted(missing):
        text = told(texts, number)
        without += text not in known
        print(f"{name}:{number}: {text}\n    {known.get(text, 'NO REASON IS GIVEN')}")
    return without


def outdated(top):
    """Print the lines that have a reason and are not there any more. Return how many."""
    many = 0
    for files in tomllib.loads((top / ".ci/uncovered.toml").read_text()).values():
        for name, lines in files.items():
            texts = [text for path in sorted(top.glob(f"src/**/{name}")) for text in path.read_text().splitlines()]
            there = {told(texts, number) for number in range(1, len(texts) + 1)}
            gone = [line for line in lines if line not in there]
            print("".join(f".ci/uncovered.toml: {name} has no more {line!r}\n" for line in gone), end="")
            many += len(gone)
    return many


def ran(tests, **more):
    """Run these tests, measured, and return whether they passed."""
    command = [*COVERAGE, "run", OPTION, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "900"]
    command += [f"--deselect={test}" for test in NOT_HERE] + tests
    return subprocess.run(command, check=False, env={**os.environ, **more}).returncode == 0


def keep(folder, passed):
    """Keep for `report()` what was measured."""
    measured = {**of_c(folder), **of_python()}
    free = folder.parent / "free_threaded"
    for name, (run, missing) in (of_c(free) if free.is_dir() else {}).items():
        known, texts = measured.get(name, (set(), set())), Path(name).read_text().splitlines()
        missing = {number for number in missing if not INLINED.match(texts[number - 1])}
        measured[name] = known[0] | run, (known[1] | missing) - known[0] - run
    files = {name: [sorted(run), sorted(missing)] for name, (run, missing) in measured.items()}
    Path("measured.json").write_text(json.dumps({"passed": passed, "files": files}))


def main(folder, tests):
    os.chdir(folder)
    if tests == ["--again"]:
        return report(folder)
    Path("coverage.ini").write_text(SETTINGS.format(folder=folder))
    subprocess.run([*COVERAGE, "erase", OPTION], check=True)
    for old in folder.glob("build/temp*/src/*.gcda"):
        old.unlink()
    passed = ran(tests or ["tests"])
    keep(folder, ran(ALONE, TRAMPOLINE_NO_EXTENSIONS="1", TRAMPOLINE_TEST_CORES="python") and passed)
    return report(folder)


def report(folder):
    """Print what is not covered, why, and the sums. Return whether they suffice."""
    measured = json.loads((folder / "measured.json").read_text())
    reasons = tomllib.loads((folder / ".ci/uncovered.toml").read_text())
    sums, without = {}, 0
    for name, (run, missing) in sorted(measured["files"].items()):
        without += unexplained(name, missing, reasons)
        for kind in ("py",) if name.endswith(".py") else ("h",) if name.endswith(".h") else ("pyx, .pxi, .pxd",):
            covered, lines = sums.get(kind, (0, 0))
            sums[kind] = covered + len(run), lines + len(run) + len(missing)
    for kind, (covered, lines) in sums.items():
        print(f".{kind}: {covered} of {lines} lines, {100 * covered / lines:.2f} %")
    print(f"{without} uncovered lines without a reason")
    if not measured["passed"]:
        print("the suite failed")
    return measured["passed"] and not without and len(sums) == 3 and all(covered * 100 >= lines * BAR for covered, lines in sums.values())


if __name__ == "__main__":
    if sys.argv[1:] == ["--reasons"]:
        sys.exit(outdated(Path(__file__).resolve().parent.parent) > 0)
    sys.exit(not main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
