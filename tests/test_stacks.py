"""Who waits where: `pseudothreads()`, `snapshot()` and `print_stacks()`, from inside, from another thread, and of what stands still."""

import contextlib
import gc
import io
import sys
import threading
import weakref
from collections import deque

import pytest
from conftest import Park

import trampoline
from trampoline import sleep

HERE = __file__


def text_of(t, **options):
    """Return what `print_stacks()` writes."""
    written = io.StringIO()
    t.print_stacks(written, **options)
    return written.getvalue()


def line_of(function, offset):
    """Return the line `offset` lines below the head of `function`."""
    return function.__code__.co_firstlineno + offset


def test_all_are_told_the_running_first_then_the_queue_then_what_is_parked(core, park):
    seen = []

    def parks():
        yield park

    def looks():
        seen.append([(p.name, p.state) for p in t.pseudothreads()])
        yield

    def last():
        yield

    t = core.Trampoline()
    t.add(parks())
    assert [(p.name, p.state) for p in t.pseudothreads()] == [(parks.__qualname__, "queued")]
    t.run()
    t.add(looks(), name="looks")
    t.add(last(), name="last")
    t.run()
    assert seen == [[("looks", "running"), ("last", "queued"), (parks.__qualname__, "parked")]]
    park.last.close()
    assert t.pseudothreads() == []


def test_each_is_told_once_also_when_called_by_hand_and_on_a_queue_of_the_users(core):
    seen = []

    def looks():
        seen.append([p.name for p in t.pseudothreads()])
        yield

    t = core.Trampoline()
    t.queue = deque()
    first, second = t.add(looks(), name="a"), t.add(looks(), name="b")
    t.queue.popleft()()
    assert seen == [["a", "b"]]
    assert t.pseudothreads() == [second]
    t.run()
    assert seen == [["a", "b"], ["b"]]
    assert first.done


def test_a_queue_that_cannot_be_iterated_hides_what_stands_in_it_only(core, park):
    class Odd:
        def __init__(self):
            self.entries = []

        def append(self, entry):
            self.entries.append(entry)

        def popleft(self):
            return self.entries.pop(0)

        def __len__(self):
            return len(self.entries)

        def __iter__(self):
            raise RuntimeError("not now")

    def parks():
        yield park

    t = core.Trampoline()
    t.queue = Odd()
    parked = t.add(parks())
    t.run()
    t.add(parks())
    assert t.pseudothreads() == [parked]
    t.queue = deque()
    t.close()


def test_a_snapshot_says_name_state_age_place_and_what_it_waits_for(core, park):
    def child():
        yield park

    def root():
        yield child()

    t = core.Trampoline()
    t.add(root(), name="the root")
    added = sys._getframe().f_lineno - 1
    t.run()
    (shot,) = t.snapshot()
    assert (shot.name, shot.state, shot.added, shot.calls) == ("the root", "parked", (HERE, added), ())
    assert 0 <= shot.age < 1000
    assert shot.waits_for == repr(park)
    assert [(place.file, place.line, place.function, place.locals) for place in shot.stack] == [
        (HERE, line_of(root, 1), root.__qualname__, None),
        (HERE, line_of(child, 1), child.__qualname__, None),
    ]
    t.close()


def test_what_schedule_made_has_no_age_and_no_place(core):
    def root():
        yield

    t = core.Trampoline()
    t.schedule(root())
    (shot,) = t.snapshot()
    assert (shot.age, shot.added, shot.state) == (None, None, "queued")
    assert "added" not in text_of(t)
    t.close()


def test_the_age_grows(core):
    def root():
        yield

    t = core.Trampoline()
    p = t.add(root())
    first = p.age
    while p.age == first:  # of a sixteenth of a second
        pass
    assert 0 <= first < p.age < first + 1000
    t.close()


def test_delegation_is_told_and_so_is_what_has_no_code(core, park):
    class Bare:
        def __init__(self):
            self.sent = []

        def send(self, value):
            self.sent.append(value)
            return park

        def throw(self, *error):
            raise error[-1]

        def close(self):
            pass

        __iter__ = __next__ = lambda self: None

    def inner():
        yield Bare()

    def delegates():
        yield from inner()

    async def awaits():
        await core.call(delegates())

    t = core.Trampoline()
    t.add(awaits())
    t.run()
    (shot,) = t.snapshot()
    assert [(place.function, place.line > 0) for place in shot.stack] == [
        (awaits.__qualname__, True),
        (delegates.__qualname__, True),
        (inner.__qualname__, True),
        (Bare.__qualname__, False),
    ]
    assert f"  in {Bare.__qualname__}\n" in text_of(t)
    t.close()


def test_variables_are_told_if_they_are_asked_for(core, park):
    def root():
        number, text = 42, "x" * 1000
        yield park
        return number, text

    t = core.Trampoline()
    t.add(root())
    t.run()
    ((place,),) = [shot.stack for shot in t.snapshot(locals=True)]
    assert place.locals["number"] == "42"
    assert len(place.locals["text"]) == 200
    assert "\n    number = 42\n" in text_of(t, locals=True)
    assert "number" not in text_of(t)
    t.close()


def test_the_functions_that_a_coroutine_is_in_are_told(core):
    texts = []

    def helper(number):
        texts.append(text_of(t))
        return number

    def root():
        yield helper(1)

    t = core.Trampoline()
    t.add(root(), name="root")
    t.run()
    (text,) = texts
    head, first, second, functions, called, *rest = text.splitlines()
    assert "running in thread 'MainThread': 1 pseudothread (1 running)" in head
    assert first.startswith("root, running, added at ")
    assert second == f'  File "{HERE}", line {line_of(root, 1)}, in {root.__qualname__}'
    assert functions == "  in the functions"
    assert called.startswith(f'  File "{HERE}", line {line_of(helper, 1)}, in ')
    assert called.endswith("helper")
    assert [line for line in rest if "text_of" not in line] == []


def test_from_another_thread_while_one_coroutine_stands_still(core):
    entered, leave = threading.Event(), threading.Event()

    def stuck():
        entered.set()
        assert leave.wait(60)

    def root():
        yield stuck()

    def waits():
        yield sleep(0)

    t = core.Waiting()
    t.add(root(), name="root")
    t.add(waits(), name="waits")
    runs = threading.Thread(target=t.run, name="the loop")
    runs.start()
    try:
        assert entered.wait(60)
        shots, text = t.snapshot(), text_of(t)
    finally:
        leave.set()
        runs.join()
    assert [(shot.name, shot.state) for shot in shots] == [("root", "running"), ("waits", "queued")]
    assert shots[0].calls[0].function.endswith("stuck")
    assert "running in thread 'the loop': 2 pseudothreads (1 running, 1 queued)" in text
    assert t.pseudothreads() == []


def test_asking_all_the_time_disturbs_nothing(core):
    done = threading.Event()
    asked, failures = [0], []

    def asks():
        try:
            while not done.is_set():
                t.snapshot(locals=True)
                text_of(t)
                asked[0] += 1
        except BaseException as error:
            failures.append(error)

    def child(number):
        if number:
            yield (yield child(number - 1)) + 1
        yield 0

    def root():
        total = 0
        while asked[0] < 20 and not failures:
            total += yield child(10)
        yield total

    t = core.Trampoline()
    asker = threading.Thread(target=asks)
    roots = [t.add(root()) for _ in range(10)]
    asker.start()
    try:
        t.run()
    finally:
        done.set()
        asker.join()
    assert failures == []
    assert all(root.result() % 10 == 0 for root in roots)


def test_a_deep_stack_is_told_at_its_ends_at_once(core, park):
    def child(depth):
        yield child(depth - 1) if depth else park

    t = core.Trampoline()
    t.add(child(100_000))
    t.run()
    text = text_of(t)
    assert "\n  ... 99,961 more coroutines\n" in text
    assert text.count(HERE) < 10  # the same line again and again is counted
    assert "[the last line 17 more times]" in text
    (shot,) = t.snapshot()
    assert len(shot.stack) == 100_001
    t.close()


def test_deadlock_and_the_stacks_say_the_same(core):
    never = Park()

    def waits():
        yield never

    t = core.Waiting()
    t.add(waits(), name="for ever")
    with pytest.raises(trampoline.Deadlock) as caught:
        t.run()
    told, shown = str(caught.value).splitlines()[1:], text_of(t).splitlines()[1:]
    assert [line.rpartition(", added")[0] or line for line in told] == [line.rpartition(", added")[0] or line for line in shown]
    assert told[0].startswith("for ever, parked for <conftest.Park object at ")
    t.close()


def test_a_repr_that_fails_is_told_all_the_same(core):
    class Odd(trampoline.Suspension):
        def suspend(self, pseudothread):
            pass

        def __repr__(self):
            raise ValueError("no")

    def waits():
        yield Odd()

    t = core.Trampoline()
    t.add(waits())
    t.run()
    assert "Odd object at 0x" in text_of(t)
    t.close()


def test_print_stacks_writes_to_standard_error(core, capsys):
    core.Trampoline().print_stacks()
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.endswith(", not running: 0 pseudothreads\n")


def test_all_trampolines_are_known_as_long_as_they_live(core):
    before = set(map(id, core.module._live()))
    first, second = core.Trampoline(), core.Trampoline()
    assert core.module._live()[:2] == [second, first]
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    assert [each for each in core.module._live() if id(each) not in before] == [second]


def test_one_that_is_just_going_is_not_given_out(core):
    found = []

    class Looks:
        def __del__(self):
            found.append([type(each) for each in core.module._live() if type(each) is Kind])

    class Kind(core.Trampoline):
        pass

    t = Kind()
    t.kept = Looks()
    del t
    gc.collect()
    assert found == [[]]
    with contextlib.closing(Kind()) as again:
        assert again in core.module._live()
