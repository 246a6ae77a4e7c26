"""A RecursionError that strikes within the package: nobody is lost, and where there is room again everything goes on."""

import sys

import pytest
from wires import run_script

PROGRAM = """
import sys

class AtOnce(core.Suspension):
    def suspend(self, pseudothread):
        pseudothread.resume(1)

class External(core.Suspension):
    def suspend(self, pseudothread):
        pass

def value(result):
    yield result

def works():
    try:
        yield value(1)
        yield AtOnce()
        yield (yield core.spawn(value(1)))
    finally:
        ended.append("worker")

def waits():
    try:
        yield External()
    finally:
        ended.append("waiter")

def nested(depth):
    return core.Trampoline(), depth and run(core.Trampoline(), nested(depth - 1))
    yield

def run(t, root):
    t.add(root)
    try:
        return t.run()
    finally:
        t.close()

def deep(depth, act):
    return deep(depth - 1, act) if depth else act()

def began():
    t = core.Trampoline()
    waiter = t.add(waits())
    t.add(waits())  # of two that cannot be closed neither is the same as the one before
    t.run()
    return t, waiter, t.add(works())

acts = {{
    "run": lambda t, waiter, worker: t.run(),
    "close": lambda t, waiter, worker: t.close(),
    "close one": lambda t, waiter, worker: waiter.close(),
    "throw": lambda t, waiter, worker: waiter.throw(KeyError()),
    "resume": lambda t, waiter, worker: waiter.resume(),
    "nested": lambda t, waiter, worker: nested(100).send(None),
}}
sys.setrecursionlimit(250)
for depth in range(100, 245):
    ended = []
    t, waiter, worker = began()
    try:
        deep(depth, lambda: acts[{act!r}](t, waiter, worker))
    except Exception as error:
        known = "RecursionError", "ExceptionGroup", "StopIteration"
        if type(error).__name__ not in known and "couldn't record exception context" not in str(error):  # as PyPy says at its limit
            raise
    if t.running:
        print(depth, "it is said to run")
    if {act!r} != "close":
        for _ in range(3):
            try:
                t.run()
            except (KeyError, RecursionError):
                pass
    t.close()
    if t.pseudothreads() or t.queue or not waiter.done or not worker.done or ended.count("waiter") > 2:
        print(depth, t.pseudothreads(), waiter, worker, ended)
print("went on")
"""


@pytest.mark.parametrize("act", ["run", "close", "close one", "throw", "resume", "nested"])
def test_near_the_limit(core, act):
    status, out, err = run_script(core, PROGRAM.format(act=act))
    assert (status, out) == (0, "went on\n"), (out, err)


class Stays:
    """A pseudothread that cannot be closed, as where there is no room for a call."""

    state = "parked"

    def close(self):
        raise RecursionError("no room")


@pytest.mark.parametrize("many", [1, 2, 3])
def test_close_gives_up_when_none_can_be_closed(core, many):
    """It went round for ever where it was two, each of them another than the one before: it kept their errors until no memory was left."""

    class Cannot(core.Waiting):
        def _take_one(self):
            assert len(taken) < 10
            taken.append(stay[len(taken) % many])
            return taken[-1]

    taken, stay = [], [Stays() for _ in range(many)]
    with pytest.raises(BaseException) as raised:  # noqa: PT011 -- a group of them, where there are groups
        Cannot().close()
    errors = getattr(raised.value, "exceptions", [raised.value])
    assert [type(error) for error in errors] == [RecursionError] * (many if sys.version_info >= (3, 11) else 1)
    assert len(taken) == many + 1
