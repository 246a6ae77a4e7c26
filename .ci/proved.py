"""Note how a command of `.ci/proof` ended in docs/results/proof.md, which only this writes.

python .ci/proved.py NAME STATUS SECONDS LOG    LOG is a file with all that it printed
"""

import datetime
import re
import sys
from pathlib import Path

from common import TOP

RESULTS = TOP / "docs" / "results" / "proof.md"
NAMES = ["asan", "tsan", "refleaks", "valgrind", "nomemory", "random", "fuzz", "soak", "coverage"]
HEAD = """# What was proved of the core in C

The last results of `.ci/proof NAME`, which writes this page; nothing here is written by hand. What each does, and what is known of what it
shows, is in [internals.md](../internals.md#how-it-is-proved).

| command | result | took | of | with |
| --- | --- | --- | --- | --- |
"""
VERSIONS = re.compile(r"^(CPython [0-9].*|gcc .*|valgrind-.*)$", re.M)
TOLD = re.compile(
    r"^=* ?(.* passed.* in .*?s\b|.* failed.* in .*?s\b|[0-9]+ reports of races .*|[0-9]+ tests leave references behind"
    r"|[0-9]+ programs, .* faults|[0-9]+ rounds? .*|Done [0-9]+ runs in .*|after the first tenth:.*|at the end, .*"
    r"|\.[a-z, .]+: .* lines, .* %|[0-9]+ uncovered .*)(?: \(.*\))? ?=*$",
    re.M,
)


def main(name: str, status: str, seconds: str, log: str, commit: str) -> None:
    """Write the row of `name` in place of its last one."""
    said = Path(log).read_text(errors="replace")
    rows = dict(re.findall(r"^\| ([a-z]+) (\|.*)$", RESULTS.read_text(), re.M)) if RESULTS.is_file() else {}
    told = list(dict.fromkeys(found.strip("= ") for found in TOLD.findall(said)))
    rounds = [line for line in told if " rounds without " in line]
    result = "; ".join(rounds or told)
    result = ("" if status == "0" else f"FAILED, status {status}: ") + result
    versions = ", ".join(dict.fromkeys(VERSIONS.findall(said)))
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    rows[name] = f"| {result} | {(int(seconds) + 59) // 60} min | {day}, {commit} | {versions} |"
    RESULTS.write_text(HEAD + "".join(f"| {known} {rows[known]}\n" for known in NAMES if known in rows))


main(*sys.argv[1:])
