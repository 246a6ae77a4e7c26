"""A plugin of pytest: every test is run several times over, and the number of references that a debug build of CPython counts stays.

    python3.11-dbg -m pytest -p refleaks    as `.ci/proof refleaks` does

A test leaks where each of the last runs leaves at least one more reference than the one before it. Not repeated are tests of hypothesis,
which never do the same, and what takes longer than two seconds: processes, mostly, and what the machine waits for.
"""

import gc
import sys
import time

import pytest
from _pytest.runner import runtestprotocol

RUNS, COUNTED = 8, 4
leaking = []


def total():
    """Return how many references there are."""
    for _ in range(3):
        gc.collect()
    return sys.gettotalrefcount()


def again(item):
    """Run a test once more, and return how many references there are after it."""
    item._initrequest()
    runtestprotocol(item, nextitem=item, log=False)
    return total()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Run it as ever, and then again."""
    began = time.monotonic()
    done = yield
    function = getattr(item, "function", None)
    if time.monotonic() - began > 2 or function is None or getattr(function, "is_hypothesis_test", False):
        return done
    counts = [0] * RUNS
    for index in range(RUNS):
        counts[index] = again(item)
    if RUNS < 2 or min(more(counts)) > 0:  # perhaps a cache that fills: once more
        for index in range(RUNS):
            counts[index] = again(item)
        if min(more(counts)) > 0:
            leaking.append((item.nodeid, more(counts)))
    item._initrequest()
    return done


def more(counts):
    """Return by how much it grew in each of the last runs."""
    return [after - before for before, after in zip(counts[-COUNTED - 1 :], counts[-COUNTED:], strict=False)]


def pytest_terminal_summary(terminalreporter):
    """Say which leak."""
    terminalreporter.write_line(f"\n{len(leaking)} tests leave references behind")
    for name, growth in leaking:
        terminalreporter.write_line(f"  {name}: {growth}")


def pytest_sessionfinish(session):
    """Fail if any does."""
    if leaking and session.exitstatus == 0:
        session.exitstatus = 1
