"""Random programs as atheris draws them: bytes that reach new branches of the core in Python are kept and changed further.

    python .ci/fuzz.py CORPUS [-max_total_time=600 ...]    options are libFuzzer's; `.ci/proof fuzz` calls it

The bytes become a program by the strategies of `tests/programs.py`. It runs on both cores, and what one does otherwise than the other ends
the run, with the program printed.
"""

import gc
import itertools
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

with atheris.instrument_imports(include=["trampoline"]):
    import trampoline._pytrampoline  # noqa: F401

import test_random_programs as tests
from hypothesis import settings

TESTS = [tests.test_both_cores_do_the_same, tests.test_wild_ones_as_the_recipe_without_its_closures]
draws, runs = [], itertools.count()
for test in TESTS:
    test._hypothesis_internal_use_settings = settings(test._hypothesis_internal_use_settings, database=None, deadline=None)
    draws.append(test.hypothesis.fuzz_one_input)


def one(data):
    """The first byte says which test, the others the program."""
    if data:
        draws[data[0] % len(draws)](data[1:])
    if next(runs) % 100 == 0:  # what `worlds` freezes would never be collected
        gc.collect()


atheris.Setup(sys.argv, one)
atheris.Fuzz()
