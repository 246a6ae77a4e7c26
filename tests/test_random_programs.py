"""Random programs do the same on both cores, and on the recipe of PEP 342 as far as that goes: every turn, value, error and `finally`.

HYPOTHESIS_PROFILE=hours runs hundreds of times as many programs as `quick`, the default, whose programs are the same each time. A failure
prints the program as source, both logs from where they differ, and (by hypothesis) how to reproduce it.
"""

import faulthandler
import os
import signal

import programs
import pytest
import worlds
from conftest import CORES, REFERENCE_COUNTS, load
from crowds import FREE
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from inhabitants import Levelled, Recipe

FEW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
COMMON = {"deadline": None, "database": None, "print_blob": True, "suppress_health_check": FEW}
FEWER = 150 if REFERENCE_COUNTS and not FREE else 20  # each collects garbage a dozen times, there through all that there is
settings.register_profile("quick", max_examples=FEWER, derandomize=True, phases=[Phase.generate, Phase.shrink], **COMMON)
settings.register_profile("hours", max_examples=100_000, **COMMON)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
if hasattr(signal, "setitimer"):  # each collects all garbage several times
    pytestmark = pytest.mark.timeout(1800)


def show_difference(program, one, other):
    """Note the program, and where the logs differ."""
    note(programs.source(program))
    note(f"{ {word: program[word] for word in ('trampoline', 'weak', 'main')} }")
    same = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    note(f"after {same} equal events, of which the last: {one[max(0, same - 5) : same]}")
    note(f"the one:   {one[same : same + 6]}")
    note(f"the other: {other[same : same + 6]}")


def compare(program, first, second):
    """Run a program on two trampolines and hold the logs against each other."""
    one, other = worlds.play(program, first), worlds.play(program, second)
    # An error that `send` raises by itself leaves the coroutine unfinished, and the recipe's traceback keeps it for so long: lives differ.
    assume(not any(said in str(one) for said in ("already executing", "just-started", "already awaited", "being awaited")))
    if one != other:
        show_difference(program, one, other)
    assert one == other


@PROFILE
@given(program=programs.programs("plain", wild=False))
def test_as_the_recipe(program):
    for name in CORES:
        note(f"the one is the recipe, the other the core {name}")
        compare(program, Recipe, load(name).Trampoline)


@PROFILE
@given(program=programs.programs("plain"))
def test_wild_ones_as_the_recipe_without_its_closures(program):
    for name in CORES:
        note(f"the one is the recipe, the other the core {name}")
        compare(program, Levelled, load(name).Trampoline)


@pytest.mark.skipif(len(CORES) < 2, reason="there is one core only")
@PROFILE
@given(program=programs.programs("full"))
def test_both_cores_do_the_same(program):
    note("the one is the core in C, the other the core in Python")
    compare(program, load("c").Trampoline, load("python").Trampoline)


@pytest.mark.parametrize("name", CORES)
@PROFILE
@given(program=programs.programs("nasty"))
def test_nothing_is_left_whatever_happens(name, program):
    faulthandler.enable()
    note(programs.source(program))
    note(f"{ {word: program[word] for word in ('trampoline', 'weak', 'main')} }")
    events = worlds.play(program, load(name).Trampoline)
    assert events[-1] == ("alive", [])
