"""What the scripts share: the trampoline on the core named on the command line, a million coroutines that call one another, and counts."""

import gc
import importlib
import sys
import weakref
from array import array

import trampoline
from trampoline._trampoline import Layer

REFERENCE_COUNTS = sys.implementation.name == "cpython"
MODULES = {"c": "trampoline._ctrampoline", "python": "trampoline._pytrampoline"}
core = importlib.import_module(MODULES[sys.argv[1]])
Trampoline = type("Trampoline", (Layer, core.BaseTrampoline), {"_wait": lambda self: False})  # what is parked the script resumes
DEPTH = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
LESS = DEPTH if sys.argv[1] == "c" else DEPTH // 4  # where a million takes the core in Python longer than ten seconds


class Park(trampoline.Suspension):
    """Parks its pseudothread until somebody resumes it."""

    def suspend(self, pseudothread):
        """Nobody is told."""


class Token:
    """What is sent, returned and held in the leak scripts: a value that can be watched."""


class Mishap(Exception):
    """What is raised there."""


def chain(depth, bottom, ended):
    """Call `depth` coroutines deep, then `bottom()`; each adds to `ended` what it ended by."""
    try:
        got = yield (chain(depth - 1, bottom, ended) if depth else bottom())
    except BaseException as error:
        ended[type(error).__name__] = ended.get(type(error).__name__, 0) + 1
        raise
    ended["result"] = ended.get("result", 0) + 1
    yield got


def fails(t):
    """Run a trampoline out of which a Mishap has to come."""
    try:
        t.run()
    except Mishap:
        return
    raise AssertionError("nothing was raised")


def all_ended(ended, by="GeneratorExit"):
    """Return whether all levels of `chain()` ended by that, and by nothing else. PyPy's collector ends one of a cycle each time it runs."""
    return ended == {by: DEPTH + 1} or not REFERENCE_COUNTS and set(ended) <= {by}


def stopped(bottom, ended):
    """Return a trampoline that stands DEPTH calls deep where `bottom(t)` is, and its pseudothread."""
    t = Trampoline()
    p = t.add(chain(DEPTH, lambda: bottom(t), ended))
    t.run()
    return t, p


def flat(case, rounds=30):
    """Repeat `case()`, which returns weak references: all are dead then, and nothing grows, with no garbage collector."""
    objects, blocks = array("q", bytes(8 * rounds)), array("q", bytes(8 * rounds))
    gc.collect()
    gc.disable()
    try:
        for index in range(rounds):
            alive = [ref() for ref in case() if ref() is not None]
            assert not alive, alive
            objects[index], blocks[index] = count()
    finally:
        gc.enable()
    still(objects, blocks)
    found = gc.collect()
    assert found == 0, f"the garbage collector found {found} objects"


def collected(case, rounds=10):
    """Repeat `case()`, which makes garbage in cycles, yields weak references, and goes on when that was collected: nothing is left."""
    objects, blocks = array("q", bytes(8 * rounds)), array("q", bytes(8 * rounds))
    for index in range(rounds):
        for watched in case():
            for _ in range(3):  # on CPython 3.15 what a finalizer resumed is found by the next run
                gc.collect()
            alive = [ref() for ref in watched if ref() is not None]
            assert not alive, alive
        objects[index], blocks[index] = count()
    still(objects, blocks)


def still(objects, blocks):
    """See that the numbers of the later half do not grow: fewer than one in two rounds."""
    half = len(objects) // 2
    assert objects[-1] - objects[half] < half // 2, objects
    assert blocks[-1] - blocks[half] < half // 2, blocks


def count():
    """Return how many objects the garbage collector knows, and how many blocks of memory are in use, where Python can tell."""
    return len(gc.get_objects()), getattr(sys, "getallocatedblocks", int)()


def check(verify, *cases):
    """Verify every case, and write the name of each that fails: the test sees that nothing was written."""
    for case in cases:
        try:
            verify(case)
        except AssertionError as error:
            print(case.__name__, str(error)[:200])


def watch(*objects):
    """Return weak references to `objects`."""
    return [weakref.ref(thing) for thing in objects]
