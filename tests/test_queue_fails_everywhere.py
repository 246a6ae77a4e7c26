"""A queue that fails at each of its appends in turn, in programs of each kind: nobody stands nowhere, and both cores do the same."""

import re

import pytest
from conftest import CORES, load
from coroutines import value
from queues import FAILING, Refused, TooLate

from trampoline import ChannelClosed, Deadlock, first, gather, timeout

pytestmark = pytest.mark.skipif("c" not in CORES, reason="it compares the cores")


def told(error):
    return type(error).__name__, re.sub("0x[0-9a-f]+", "", str(error)), repr(error.__context__)


class World:
    """The programs, each of which adds its pseudothreads to `t`."""

    def __init__(self, core, t):
        self.core, self.t = core, t
        self.log, self.ended = [], []

    def worker(self, name, wait=None, turns=1):
        try:
            for turn in range(turns):
                self.log.append((name, (yield value(turn))))
            try:
                self.log.append((name, (yield value(None) if wait is None else wait())))
            except (Refused, RuntimeError, ValueError, ChannelClosed, TimeoutError) as error:
                self.log.append((name, told(error)))
            yield name
        finally:
            self.ended.append((name, self.t.running))

    def add(self, name, *args):
        return self.t.add(self.worker(name, *args), name=name)

    def calls(self):
        return [self.add(name, None, 3) for name in "abc"]

    def joins(self):
        def root():
            yield value(1)
            raise ValueError("joined")

        target = self.t.add(root(), name="target")
        return [target, *(self.add(name, lambda: target, 0) for name in "ab")]

    def sleeps(self):
        return [self.add(str(seconds), lambda seconds=seconds: self.core.module.sleep(seconds)) for seconds in (0, 3, 2)]

    def together(self):
        both = [self.worker(name, None, turns) for turns, name in enumerate("wxyz")]
        return [self.add("gather", lambda: gather(*both[:2])), self.add("first", lambda: first(*both[2:]))]

    def limited(self):
        return [self.add("limited", lambda: timeout(1, self.worker("late", lambda: self.core.module.sleep(2)))), self.add("other")]

    def spawns(self):
        def root():
            p = yield self.core.spawn(self.worker("spawned"))
            return (yield p)

        return [self.add("spawner", root), self.add("other", None, 3)]

    def channels(self):
        channels = [self.core.Channel(size) for size in (0, 1, None)]

        def puts(channel):
            for n in range(3):
                yield channel.put(n)

        def gets(channel):
            got = []
            for _ in range(3):
                got.append((yield channel.get()))
            return got

        return [
            self.add(f"{way.__name__} {channel.size}", lambda w=way, c=channel: w(c), 0) for channel in channels for way in (gets, puts)
        ]

    def closes(self):
        target = self.add("target", None, 5)

        def root():
            yield value(1)
            target.close()

        return [target, self.add("joins", lambda: target, 0), self.add("closes", root, 0)]


def outcome(core, program, queue, how, turn):
    class Passing(core.Waiting):
        def schedule(self, *continuation):
            return super().schedule(*continuation)

    t = (Passing if how == "overridden" else core.Waiting)(clock=core.module.VirtualClock(), profile=how == "profiled")
    t.queue = queue(turn, turn + 2)
    world, ps, runs = World(core, t), [], []
    try:
        ps += getattr(world, program)()
    except Refused as error:
        runs.append(error.args)
    for _ in range(6):
        try:
            runs.append(t.run())
        except Deadlock:
            runs.append("Deadlock")
        except (Refused, RuntimeError, ValueError, ChannelClosed, TimeoutError) as error:
            runs.append(told(error))
    left = len(t.queue)
    states = [(p.name, p.state) for p in ps]
    t.close()
    return world.log, sorted(world.ended), runs, states, left  # in what order a traceback's frames let go is the interpreter's


@pytest.mark.parametrize("queue", [*FAILING, TooLate])
@pytest.mark.parametrize("how", ["plain", "overridden", "profiled"])
@pytest.mark.parametrize("program", ["calls", "joins", "sleeps", "together", "limited", "spawns", "channels", "closes"])
def test_at_each_append(program, queue, how):
    for turn in range(1, 25):
        found = [outcome(load(name), program, queue, how, turn) for name in ("c", "python")]
        assert found[0] == found[1], turn
        *_, states, left = found[0]
        assert left == 0, turn
        assert "queued" not in dict(states).values(), (turn, states)
