"""`python -m bench.faults`: run the recipe as PEP 342 prints it into each of its four faults, and count what they cost.

Prints the rows of the README's table: the recipe's behaviour, and this package's on the same program.
"""

from __future__ import annotations

import sys
from time import process_time
from typing import Any

from trampoline import Trampoline
from trampoline._recipe import Verbatim

LEVELS = 16


def unwind(level: int) -> Any:
    """Raise at the bottom; every level passes the error on."""
    if not level:
        raise ValueError("bottom")
    yield unwind(level - 1)


def finishes() -> Any:
    """End without a yield."""
    return
    yield


def calls(child: Any) -> Any:
    """Call once, and give what came back."""
    got = yield child
    yield got


def answer() -> Any:
    """Give a result."""
    yield 42


def turns_to_unwind(scheduler: Any) -> str:
    """Count the turns, and the seconds, that an error takes out of LEVELS levels."""
    t = scheduler()

    def root() -> Any:
        try:
            yield unwind(LEVELS)
        except ValueError:
            yield "caught"

    t.add(root())
    turns, lost = 0, 0
    start = process_time()
    while t.queue:
        try:
            t.queue.popleft()()
        except (StopIteration, RuntimeError, ValueError):
            lost += 1
        turns += 1
    return f"{turns:,} resumes and {process_time() - start:.2f} s for {LEVELS} levels; {lost:,} of them raise out of the queue"


def outcome(scheduler: Any, coroutine: Any) -> str:
    """Return what `run()` gives for one pseudothread."""
    t = scheduler()
    t.add(coroutine)
    try:
        return f"run() returns {t.run()!r}"
    except BaseException as error:
        return f"run() raises {type(error).__name__}"


def main() -> int:
    """Print the table."""
    cases = [
        ("an error passes through", turns_to_unwind),
        ("a callee finishes", lambda scheduler: outcome(scheduler, calls(finishes()))),
        ("a root finishes", lambda scheduler: outcome(scheduler, finishes())),
        ("a root gives a result", lambda scheduler: outcome(scheduler, answer())),
    ]
    for name, run in cases:
        print(f"{name}\n  the recipe   {run(Verbatim)}\n  ctrampoline  {run(Trampoline)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
