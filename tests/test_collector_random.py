"""Random programs are counted as others count them, and by both cores alike, to the nanosecond of a clock that the programs move."""

import gc
import warnings

import counting
import programs
import pytest
import worlds
from conftest import CORES, load
from counting import check_laws, rows
from hypothesis import assume, given, note
from test_random_programs import PROFILE


class Moving(worlds.World):
    """A world in which time passes with each event that is logged: also in `finally` blocks, __del__, an overridden `schedule`."""

    clock, before_end = None, None

    def end(self):
        if self.before_end is not None:
            Moving.before_end()
        super().end()

    def log(self, *what):
        super().log(*what)
        if self.clock is not None:
            self.clock.now += len(self.events) % 7 + 1


def collected(program, core, new_trampoline=None, timeline=0):
    """Run a program on a core, and return its log and the collector."""
    module = load(core).module
    clock = counting.Clock()
    collector = module.Collector(clock, timeline)
    world = worlds.World
    worlds.World, Moving.clock = Moving, clock
    assert module.collect(collector) is None
    try:
        log = worlds.play(program, new_trampoline or load(core).Trampoline)
    finally:
        worlds.World = world
        assert module.collect(None) is collector
    check_laws(collector)
    return log, collector


def show(program):
    note(programs.source(program))
    note(f"{ {word: program[word] for word in ('trampoline', 'weak', 'main')} }")


@pytest.mark.parametrize("name", CORES)
@PROFILE
@given(program=programs.programs("plain", wild=False))
def test_as_the_recipe_counts(name, program):
    show(program)
    counts = counting.Counts()
    log = worlds.play(program, counting.counting_recipe(counts))
    assume(not any(said in str(log) for said in ("already executing", "just-started", "already awaited", "being awaited")))
    _, collector = collected(program, name)
    counted = {path: numbers for path, numbers in rows(collector, "calls", "resumes", "exceptions").items() if numbers}
    assert counted == counts.rows()


def without(block, words):
    """Return a block without the operations that are named."""
    kept = []
    for word, *arguments in block:
        if word == "try":
            tried, handlers, last = arguments
            arguments = [
                without(tried, words),
                [(what, without(handler, words)) for what, handler in handlers],
                last and without(last, words),
            ]
        if word not in words:
            kept.append((word, *arguments))
    return kept


def tamed(program):
    """Return the program without what a `schedule` does not see: the closing of a pseudothread."""
    bodies = [
        {**one, "block": without(one["block"], ["close", "suspend"]), "finally": without(one["finally"], ["close"])}
        for one in program["bodies"]
    ]
    kind = "own" if program["trampoline"] in ("dropping", "own frames") else program["trampoline"]
    return {**program, "weak": False, "trampoline": kind, "bodies": bodies, "main": without(program["main"], ["close"])}


@pytest.mark.parametrize("name", CORES)
@PROFILE
@given(program=programs.programs("full").map(tamed))
def test_as_an_overridden_schedule_counts(name, program):
    show(program)
    counts, added, compared = counting.Counts(), {}, []

    def compare():
        """Before the world lets go of all: some turns are still to come, and of errors that left a root no `schedule` was told."""
        for p, line in added.items():
            if p.state == "queued":
                counts.resumes[counting.where(line)] -= 1
            elif p.done and raises(p.result):
                counts.exceptions[counting.where(line)] += 1
        collector = load(name).module.collect(None)
        load(name).module.collect(collector)
        collector.settle()
        counted = {path: numbers for path, numbers in rows(collector, "calls", "resumes", "exceptions").items() if numbers}
        assert counted == counts.rows()
        compared.append(True)
        added.clear()

    Moving.before_end = compare
    try:
        collected(program, name, counting.counting_schedule(load(name).Trampoline, counts, added))
    finally:
        Moving.before_end = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of native coroutines that were never awaited
            added.clear()
            gc.collect()
    assert compared == [True]


def raises(call):
    try:
        call()
    except BaseException as error:
        return not (isinstance(error, RuntimeError) and "was closed before" in str(error))
    return False


@pytest.mark.skipif(len(CORES) < 2, reason="there is one core only")
@PROFILE
@given(program=programs.programs("full"))
def test_both_cores_count_the_same(program):
    show(program)
    log, c = collected(program, "c", timeline=1000)
    other, python = collected(program, "python", timeline=1000)
    assert log == other
    assert rows(c) == rows(python)
    assert (c.loop, c.run) == (python.loop, python.run)
    assert events(c) == events(python)


def events(collector):
    return [(kind, number, counting.path(node), start, duration) for kind, number, node, start, duration in collector.timeline]


@pytest.mark.skipif(len(CORES) < 2, reason="there is one core only")
@PROFILE
@given(program=programs.programs("full"))
def test_who_is_counted_does_the_same(program):
    show(program)
    for name in CORES:
        clock, Moving.clock = Moving.clock, None
        plain = worlds.play(program, load(name).Trampoline)
        Moving.clock = clock
        assert collected(program, name)[0] == plain


@pytest.mark.parametrize("name", CORES)
@PROFILE
@given(program=programs.programs("nasty"))
def test_whatever_happens(name, program):
    show(program)
    log, _ = collected(program, name)
    assert log[-1] == ("alive", [])
