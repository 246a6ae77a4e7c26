"""Read what ThreadSanitizer reported while `.ci/proof tsan` ran, and say what of it is the core's: any of that fails.

    python .ci/raced.py FOLDER    in which its logs are, race.*

A report has the stacks of two accesses. It is the core's if one of them was made by the core itself, or both by a function of CPython's
that the core called, with no Python in between. Where one of them is by what Python does or calls, or its stack was lost, the race is
CPython's: these are counted, by the two functions, and do not fail. In race.looks.*, of the test that reads the variables of coroutines
that run, the making of an object counts as CPython's, which hands it over without a lock. So does the interning of strings, wherever it is
called from: all threads have one table, and 3.13t writes to a string that others can find in there already. A report of another kind (a
lock, a signal) is the core's if that has a part in any stack.
"""

import re
import sys
from collections import Counter
from pathlib import Path

REPORT = re.compile(r"^WARNING: ThreadSanitizer: (.*?) \(pid=.*?^SUMMARY", re.M | re.S)
STACK = re.compile(r"^  (\S[^\n]*):\n((?:    #[0-9]+ [^\n]*\n)+|    \[failed to restore the stack\]\n)", re.M)
ACCESS = re.compile(r"(?:Previous )?(?:atomic )?(?:read|write) of size", re.I)
FRAME = re.compile(r"^    #[0-9]+ (.*?)(?: \(([^()\s]+)\+0x[0-9a-f]+\))?$", re.M)
CORE = "_ctrampoline."
MADE = ("_PyType_AllocNoTrack", "new_reference", "_PyObject_Init", "Py_SET_TYPE")


def frames_of(stack: str) -> list[tuple[str, str]]:
    """Return function and file of each frame, the innermost first, without those of the sanitizer itself (its memcpy, its free)."""
    return [(place, file) for place, file in FRAME.findall(stack) if not file.startswith("libtsan")]


def whose(stack: str) -> str:
    """Return by whom an access was made: "core", "called" by the core with no Python in between, "CPython", or "unknown"."""
    for number, (place, file) in enumerate(frames_of(stack)):
        if file.startswith(CORE):
            return "called" if number else "core"
        if place.startswith("_PyEval_EvalFrameDefault"):
            return "CPython"
    return "CPython" if frames_of(stack) else "unknown"


def is_ours(report: str, looks: bool) -> bool:
    """Return whether that is a fault of the core. Who `looks` has objects from variables, as they are just made."""
    accesses = [stack for head, stack in STACK.findall(report) if ACCESS.match(head)]
    if not accesses:
        return CORE in report
    if looks and any(frames and frames[0][0].startswith(MADE) for frames in map(frames_of, accesses)):
        return False
    if all("intern_common" in [place.split()[0] for place, _ in frames_of(stack)] for stack in accesses):
        return False
    by = {whose(stack) for stack in accesses}
    return "core" in by or by == {"called"}


def between(report: str) -> str:
    """Return the functions of both accesses."""
    tops = [(frames_of(stack) or [("[lost]", "")])[0][0].split()[0] for head, stack in STACK.findall(report) if ACCESS.match(head)]
    return " and ".join(sorted(tops))


def short(report: str) -> str:
    """Return the innermost frames of each of its stacks that has a part in it."""
    stacks = [(head, stack) for head, stack in STACK.findall(report) if ACCESS.match(head) or CORE in stack]
    return "\n".join(f"  {head}:\n" + "".join(f"    {place} in {file}\n" for place, file in frames_of(stack)[:8]) for head, stack in stacks)


def main(folder: str) -> int:
    ours: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for log in sorted(Path(folder).glob("race.*")):
        for found in REPORT.finditer(log.read_text(errors="replace")):
            is_of_core = is_ours(found[0], log.name.startswith("race.looks."))
            (ours if is_of_core else others)[f"{found[1]}: {between(found[0])}"] += 1
            if is_of_core:
                print(f"{found[1]}, in full in {log}", short(found[0]), sep="\n")
    for whose_they_are, counted in (("CPython's", others), ("the core's", ours)):
        print(*(f"{many:5} of {whose_they_are}, {what}" for what, many in counted.most_common()), sep="\n")
    print(f"{ours.total()} reports of races of the core, {others.total()} of CPython's own")
    return 1 if ours else 0


sys.exit(main(*sys.argv[1:]))
