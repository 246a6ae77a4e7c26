"""Profiles: when they measure and whom, how they stand inside of one another, and what they say while they go on. On both cores."""

import functools
import gc
import itertools
import threading

import pytest
from profiles import ALL, cheap, dear, is_conserved, leaf, main, measuring, paths, run, ticking

import trampoline
from trampoline._profile_tree import name_code


@pytest.fixture
def profile(core):
    """Make profiles of this core."""
    return functools.partial(measuring, core)


def test_it_measures_while_it_is_entered(core, profile):
    """By function and logical caller, before and after which nothing is counted."""
    measured = profile()
    run(core, main())
    assert not measured.running
    with measured as entered:
        assert entered is measured
        assert measured.running
        run(core, main())
    run(core, main())
    assert paths(measured) == ALL
    assert is_conserved(measured)
    rows = {row.name: row for row in measured.functions()}
    assert rows["leaf"].calls == 10
    assert (rows["leaf"].file, rows["leaf"].line) == (leaf.__code__.co_filename, leaf.__code__.co_firstlineno)
    assert rows["main"].resumes == 3


def test_the_public_names():
    """`trampoline.profile()` makes one."""
    with trampoline.profile() as measured:
        trampoline.trampoline(main())
    assert isinstance(measured, trampoline.Profile)
    assert paths(measured) == ALL


def test_entered_again_it_adds_up(core, profile):
    with profile() as measured:
        run(core, main())
    with measured:
        run(core, main())
    assert paths(measured) == {path: 2 * calls for path, calls in ALL.items()}
    assert is_conserved(measured)


def test_an_error_does_not_end_it(core, profile):
    """It is counted where it went through, and the profile is left in good order."""

    def fails():
        raise KeyError
        yield

    def calls():
        yield fails()

    measured = profile()
    with pytest.raises(KeyError), measured:
        run(core, calls())
    assert {row.name.rpartition(".")[2]: row.exceptions for row in measured.functions()} == {"fails": 1, "calls": 1}
    assert not measured.running
    run(core, main())
    assert len(paths(measured)) == 2


def test_it_starts_and_stops_in_the_midst_of_a_run(core, profile):
    """What was there before is marked as older; what goes on afterwards is live."""
    measured = profile()

    def worker():
        yield cheap()
        measured.start()
        yield dear()
        measured.stop()
        yield cheap()

    run(core, worker())
    assert paths(measured) == {"worker": 0, "worker.dear": 1, "worker.dear.leaf": 9}
    (node,) = measured.tree.children
    assert node.partial == 1
    assert is_conserved(measured)


def test_it_can_be_read_while_it_goes_on(core, profile):
    """What is live has the time until now, a copy stays as it is, and reading changes nothing."""
    seen = []

    def worker():
        yield cheap()
        for _ in range(2):
            seen.append(measured.tree)
            seen.append(measured.tree)
        yield dear()

    with profile(clock=ticking()) as measured:
        run(core, worker())
    (first,) = seen[0].children
    assert first.live == 1
    assert first.self_time > 0
    assert [child.calls for child in first.children] == [1]
    for before, after in itertools.pairwise(seen):
        assert after.cumulative >= before.cumulative > 0
        assert after.children[0].calls == 1
    assert paths(measured)["worker.dear.leaf"] == 9
    assert measured.tree.children[0].live == 0


def test_the_inner_takes_its_part_and_the_outer_has_it_too(core, profile):
    outer, middle, inner = profile(), profile(), profile()
    with outer:
        run(core, main())
        with middle:
            run(core, cheap())
            with inner:
                run(core, dear())
                assert paths(outer) == {**ALL, "cheap": 1, "cheap.leaf": 1, "dear": 1, "dear.leaf": 9}
            run(core, cheap())
        run(core, main())
    assert paths(inner) == {"dear": 1, "dear.leaf": 9}
    assert paths(middle) == {"cheap": 2, "cheap.leaf": 2, "dear": 1, "dear.leaf": 9}
    assert paths(outer) == {**{path: 2 * calls for path, calls in ALL.items()}, **paths(middle)}
    for measured in (outer, middle, inner):
        assert is_conserved(measured)
        assert not measured.running


def test_the_parts_of_another_clock_are_missing(core, profile):
    """Their times cannot be added."""
    with profile(clock=ticking()) as outer:
        with profile(clock=ticking()) as inner:
            run(core, dear())
        run(core, cheap())
    assert paths(outer) == {"cheap": 1, "cheap.leaf": 1}
    assert paths(inner) == {"dear": 1, "dear.leaf": 9}


def test_the_clock_is_the_one_that_was_given(core, profile):
    """Its units come out as they are."""
    now = [0]

    def worker():
        now[0] += 7
        yield sleeper()
        now[0] += 5

    def sleeper():
        now[0] += 100
        yield

    with profile(clock=lambda: now[0]) as measured:
        run(core, worker())
    rows = {row.name.rpartition(".")[2]: row for row in measured.functions()}
    assert (rows["worker"].self_time, rows["worker"].cumulative) == (12, 112)
    assert (rows["sleeper"].self_time, rows["sleeper"].cumulative) == (100, 100)


def test_a_clock_that_fails(core, profile):
    """Its error comes out of run() and of what reads the profile; counts stay right."""
    broken = []

    def clock():
        if broken:
            raise OSError("no time")
        return 0

    with profile(clock=clock) as measured:
        run(core, main())
        broken.append(True)
        with pytest.raises(OSError, match="no time"):
            run(core, cheap())
        with pytest.raises(OSError, match="no time"):
            measured.functions()
        broken.clear()
        run(core, dear())
    assert not measured.running
    found = paths(measured)
    assert (found["main.dear.leaf"], found["dear.leaf"]) == (9, 9)


def test_coroutines_that_enter_and_leave_in_turns(core, profile):
    """The first to enter leaves first: the other one goes on."""
    first, second = profile(), profile()

    def enters_first():
        with first:
            yield cheap()
            yield cheap()
        yield cheap()

    def enters_second():
        yield leaf(0)
        with second:
            for _ in range(10):
                yield cheap()

    run(core, enters_first(), enters_second())
    assert not first.running
    assert not second.running
    assert paths(second)["enters_second.cheap"] == 10
    run(core, cheap())
    assert "cheap" not in paths(second)
    assert "cheap" not in paths(first)


def test_what_cannot_be_is_said(core, profile):
    measured = profile()
    with pytest.raises(RuntimeError, match="cannot stop <Profile at rest>: it was not started"):
        measured.stop()
    with measured, pytest.raises(RuntimeError, match="cannot start <Profile measuring>: it is measuring already"):
        measured.start()
    errors = []

    def other():
        try:
            measured.stop()
        except RuntimeError as error:
            errors.append(str(error))

    with measured:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert errors == ["cannot stop <Profile measuring> on another thread than that which started it"]


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"clock": 3}, TypeError, "takes a clock that is called for nanoseconds, not 3"),
        ({"timeline": 0}, ValueError, "the most events to keep, an int from 1 on, not 0"),
        ({"timeline": True}, ValueError, "the most events to keep, an int from 1 on, not True"),
        ({"timeline": "x"}, ValueError, "the most events to keep, an int from 1 on, not 'x'"),
    ],
)
def test_bad_arguments_are_named(options, kind, said):
    with pytest.raises(kind, match=said):
        trampoline.profile(**options)


def test_a_trampoline_has_one_of_its_own(core, profile):
    """It wins over the thread's, which has those made before it not."""
    t, other = core.Trampoline(profile=True), core.Trampoline()
    assert core.Trampoline().profile is None
    with profile() as measured:
        t.add(main())
        t.run()
        other.add(cheap())
        other.run()
    t.add(cheap())
    t.run()
    assert paths(t.profile) == {**ALL, "cheap": 1, "cheap.leaf": 1}
    assert paths(measured) == {"cheap": 1, "cheap.leaf": 1}
    assert t.profile.running


def test_those_around_have_the_trampolines_made_within(core, profile):
    """As long as they last; also when those are no more, or go on afterwards."""
    with profile() as outer:
        t = core.Trampoline(profile=True)
        t.add(main())
        t.run()
        assert paths(outer) == ALL
        for _ in range(3):
            other = core.Trampoline(profile=True)
            other.add(cheap())
            other.run()
        own = other.profile
        del other
        gc.collect()
        run(core, dear())
        assert paths(outer) == {**ALL, "cheap": 3, "cheap.leaf": 3, "dear": 1, "dear.leaf": 9}
        with own:  # which starts afresh
            run(core, cheap())
    t.add(main())
    t.run()
    assert paths(own) == {"cheap": 2, "cheap.leaf": 2}
    assert paths(outer) == {**ALL, "cheap": 4, "cheap.leaf": 4, "dear": 1, "dear.leaf": 9}
    assert paths(t.profile) == {path: 2 * calls for path, calls in ALL.items()}
    assert is_conserved(outer)


def test_a_profile_whose_clock_failed_starts_again(core, profile):
    fails = [True]

    def clock():
        if fails[0]:
            raise OSError("no time")
        return 1

    measured = profile(clock=clock)
    measured.start()
    with pytest.raises(OSError, match="no time"):
        measured.stop()
    fails[0] = False
    with measured:
        run(core, cheap())
    assert paths(measured) == {"cheap": 1, "cheap.leaf": 1}


def test_a_trampoline_takes_a_profile(core, profile):
    """With a clock, say; but one that measures nothing else."""
    measured = profile(clock=ticking())
    t = core.Trampoline(profile=measured)
    assert t.profile is measured
    t.add(main())
    t.run()
    assert paths(measured) == ALL
    with pytest.raises(RuntimeError, match="a profile that is not measuring yet, not <Profile measuring>"):
        core.Trampoline(profile=measured)
    with pytest.raises(RuntimeError, match="it is measuring already"):
        measured.start()
    with pytest.raises(TypeError, match="takes True or a Profile as its profile, not 'yes'"):
        core.Trampoline(profile="yes")


def test_a_coroutine_without_a_code_has_a_name(core, profile):
    """That of its type, with no file."""

    class Own:
        def send(self, value):
            raise StopIteration(value)

        def throw(self, *error):
            raise error[0]

        def close(self):
            pass

        def __iter__(self):
            return self

        __next__ = None

    trampoline._base.Generator.register(Own)
    with profile() as measured:
        run(core, Own())
    (row,) = measured.functions()
    assert row[:3] == ("~", 0, f"{__name__}.{Own.__qualname__}")
    assert name_code(Own) == row[:3]


def test_the_same_place_is_the_same_function(core, profile):
    """Whatever number of code objects it was compiled to."""
    known = {}
    with profile() as measured:
        for _ in range(3):
            exec(compile("def made():\n    yield 1\n", "made.py", "exec"), known)
            run(core, known["made"]())
    (row,) = measured.functions()
    assert row[:4] == ("made.py", 1, "made", 3)
