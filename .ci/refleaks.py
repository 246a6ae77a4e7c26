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

from trampoline._base import kinds

RUNS, COUNTED = 6, 3
FILLS = 1000  # runs after which what is kept to be used again, or until there is more of it, is as much as it gets
leaking = []
known = set(kinds)


def pytest_collection_finish():
    """Have the garbage collector pass over all that is there already: it runs thousands of times."""
    gc.collect()
    gc.freeze()


def total():
    """Return how many references there are, without the classes in the bounded cache of what a yielded object means."""
    for kind in set(kinds) - known:
        del kinds[kind]
    gc.collect()
    return sys.gettotalrefcount()


def without_traceback(value):
    """Cut the traceback of an error, or of those in a tuple: one that is raised again and again keeps what each raise adds to it."""
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, BaseException):
            each.__traceback__ = None


def again(item):
    """Run a test once more and undo its fixtures. Return how many references there are after it."""
    item._initrequest()
    runtestprotocol(item, nextitem=item.parent, log=False)
    for value in item.callspec.params.values() if hasattr(item, "callspec") else ():
        without_traceback(value)
    return total()


def repeated(item):
    """Return by how much the references grew in each of the last runs."""
    counts = [0] * RUNS
    for index in range(RUNS):
        counts[index] = again(item)
    return more(counts)


def filled(item):
    """Return the same where it is all full, at the latest after so many runs."""
    growth = [1]
    for number in range(FILLS):
        if min(growth) <= 0:
            break
        if number % 100:
            again(item)
        else:
            growth = repeated(item)
    return growth


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Run it several times, and then as ever."""
    began = time.monotonic()
    function = getattr(item, "function", None)
    if function is not None and not getattr(function, "is_hypothesis_test", False):
        again(item)
        if time.monotonic() - began < 2 and min(repeated(item)) > 0:  # perhaps something that fills: when it is full once more
            growth = filled(item)
            if min(growth) > 0:
                leaking.append((item.nodeid, growth))
        item._initrequest()
    return (yield)


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
