"""Random histories of a channel, a lock and a semaphore do what a model of a few lines does, on both cores.

In a history pseudothreads come one after the other to put, to get or to have. Some of them are closed, thrown into or resumed while they
wait, or in the moment between being handed something and being sent it. After each step the trampoline runs as far as it goes; then all
that has happened, and who waits, is compared.
"""

from collections import deque

import pytest
from conftest import CORES, Park, load
from hypothesis import given, settings
from hypothesis import strategies as st

from trampoline import ChannelClosed, Lock, Semaphore

SIZES = st.sampled_from([0, 1, 2, 5, None])
ENDS = st.sampled_from(["close", "throw", "resume"])
WAYS = st.sampled_from(["yield", "await"])
THROWN = KeyError("thrown in")
SETTINGS = settings(deadline=None, database=None, derandomize=True, max_examples=300)


class ModelChannel:
    """What a channel does. Values are handed over at once, and who waits has a place in a queue."""

    def __init__(self, size):
        self.size, self.items, self.getters, self.putters, self.closed, self.log = size, deque(), deque(), deque(), False, {}

    def put(self, who, value):
        if self.closed:
            self.log[who] = "closed"
        elif self.getters:
            self.log[self.getters.popleft()[0]] = value
            self.log[who] = None
        elif self.size is None or len(self.items) < self.size:
            self.items.append(value)
            self.log[who] = None
        else:
            self.putters.append((who, value))

    def get(self, who, default):
        if self.items or self.putters:
            if not self.items or self.putters and len(self.items) <= self.size:
                putter, value = self.putters.popleft()
                self.items.append(value)
                self.log[putter] = None
            self.log[who] = self.items.popleft()
        elif self.closed:
            self.log[who] = default
        else:
            self.getters.append((who, default))

    def back(self, value):
        """Have a value back from one that was handed it and is no more."""
        if self.getters:
            self.log[self.getters.popleft()[0]] = value
        else:
            self.items.appendleft(value)

    def close(self):
        if not self.closed:
            self.closed = True
            self.log.update((who, "closed") for who, _ in self.putters)
            self.log.update(self.getters)
            self.putters, self.getters = deque(), deque()

    def leave(self, waiting, index):
        """Let one of those that wait go, and return who that is."""
        who = waiting[index % len(waiting)]
        waiting.remove(who)
        return who[0]


STEPS = st.one_of(
    st.tuples(st.just("put"), WAYS),
    st.tuples(st.just("get"), WAYS, st.booleans()),
    st.tuples(st.just("end"), st.sampled_from(["getters", "putters"]), st.integers(0, 9), ENDS),
    st.tuples(st.just("hand and close"), WAYS),
    st.tuples(st.just("take and close"), WAYS),
    st.just(("close",)),
)


class Histories:
    """A trampoline with a channel, and what its pseudothreads end by."""

    def __init__(self, core, size):
        self.t, self.channel, self.model = core.Trampoline(), core.Channel(size), ModelChannel(size)
        self.added, self.log = [], {}

    def add(self, operation, way):
        who = len(self.added)

        def by_yield():
            try:
                self.log[who] = yield operation
            except ChannelClosed:
                self.log[who] = "closed"
            except KeyError:
                self.log[who] = "thrown"

        async def by_await():
            try:
                self.log[who] = await operation
            except ChannelClosed:
                self.log[who] = "closed"
            except KeyError:
                self.log[who] = "thrown"

        self.added.append(self.t.add((by_yield if way == "yield" else by_await)()))
        return who

    def step(self, what, *how):
        model, value = self.model, len(self.added) + 1000
        if what == "put":
            model.put(self.add(self.channel.put(value), *how), value)
        elif what == "get":
            way, has_default = how
            model.get(
                self.add(self.channel.get("default") if has_default else self.channel.get(), way), "default" if has_default else "closed"
            )
        elif what == "end":
            self.end(*how)
        elif what == "close":
            self.channel.close()
            model.close()
        elif what == "hand and close" and model.getters:
            getter = self.added[model.getters[0][0]]
            model.put(self.add(self.channel.put(value), *how), value)
            self.t.queue.popleft()()
            assert getter.state == "queued"
            getter.close()
            del model.log[self.added.index(getter)]
            model.back(value)
        elif what == "take and close" and model.putters:
            putter = model.putters[0][0]
            model.get(self.add(self.channel.get(), *how), "closed")
            self.t.queue.popleft()()
            if putter in model.log:
                self.added[putter].close()
                del model.log[putter]
        self.t.run()

    def end(self, where, index, how):
        waiting = getattr(self.model, where)
        if not waiting:
            return
        who = self.model.leave(waiting, index)
        if how == "close":
            self.added[who].close()
        elif how == "throw":
            self.added[who].throw(THROWN)
            self.model.log[who] = "thrown"
        else:
            self.added[who].resume("by another")
            self.model.log[who] = "by another"

    def compare(self):
        model = self.model
        assert self.log == model.log
        waiting = (("put", model.putters), ("get", model.getters))
        waits = [f"{len(who)} {'waits' if len(who) == 1 else 'wait'} to {what}" for what, who in waiting if who]
        size = "any number" if model.size is None else model.size
        told = ", ".join([f"{len(model.items)} of {size} in it", *(["closed"] if model.closed else []), *waits])
        assert repr(self.channel).partition(", ")[2] == told + ">"
        parked = [who for who, p in enumerate(self.added) if p.state == "parked"]
        assert parked == sorted(who for who, _ in (*model.putters, *model.getters))


@pytest.mark.parametrize("name", CORES)
@SETTINGS
@given(size=SIZES, steps=st.lists(STEPS, max_size=40))
def test_a_channel_does_what_its_model_does(name, size, steps):
    histories = Histories(load(name), size)
    for step in steps:
        histories.step(*step)
        histories.compare()
    left = list(histories.model.items)
    histories.channel.close()
    histories.model.close()
    histories.t.run()
    for _ in left:
        histories.step("get", "yield", False)
    histories.compare()


class ModelSemaphore:
    """What a semaphore does, or a lock, which is one for one."""

    def __init__(self, value):
        self.left, self.waiting, self.holders = value, deque(), []

    def ask(self, who):
        if self.left:
            self.left -= 1
            self.holders.append(who)
        else:
            self.waiting.append(who)

    def give(self, who):
        self.holders.remove(who)
        if self.waiting:
            self.holders.append(self.waiting.popleft())
        else:
            self.left += 1


LOCK_STEPS = st.one_of(
    st.tuples(st.just("ask"), WAYS),
    st.tuples(st.just("ask"), WAYS),
    st.tuples(st.just("give"), st.integers(0, 9), st.sampled_from(["resume", "throw", "close", "and close the next"])),
    st.tuples(st.just("leave"), st.integers(0, 9), ENDS),
)


@pytest.mark.parametrize("name", CORES)
@SETTINGS
@given(value=st.sampled_from(["lock", 1, 2, 3]), steps=st.lists(LOCK_STEPS, max_size=40))
def test_a_lock_and_a_semaphore_do_what_their_model_does(name, value, steps):
    t, park, added, having, left_early = load(name).Trampoline(), Park(), [], [], set()
    lock, model = (Lock(), ModelSemaphore(1)) if value == "lock" else (Semaphore(value), ModelSemaphore(value))

    def by_yield(who):
        try:
            got = yield lock
            if got == "by another":
                return
            with got:
                having.append(who)
                yield park
        except KeyError:
            pass
        finally:
            if who in having:
                having.remove(who)

    async def by_await(who):
        try:
            async with lock as got:
                having.append(who)
                await park
            assert got is not None
        except KeyError:
            pass
        finally:
            if who in having:
                having.remove(who)

    for what, *how in steps:
        if what == "ask":
            model.ask(len(added))
            added.append(t.add((by_yield if how[0] == "yield" else by_await)(len(added))))
        elif what == "leave" and model.waiting:
            who = model.waiting[how[0] % len(model.waiting)]
            if how[1] == "resume" and added[who].stack[0].__class__.__name__ == "coroutine":
                continue  # it would take itself to have the lock
            model.waiting.remove(who)
            end(added[who], how[1])
            left_early.add(who)
        elif what == "give" and model.holders:
            who = model.holders[how[0] % len(model.holders)]
            following = model.waiting[0] if model.waiting else None
            model.give(who)
            end(added[who], how[1] if how[1] in ("throw", "close") else "resume")
            if how[1] == "and close the next" and following is not None:
                t.queue.popleft()()
                assert added[following].state == "queued"
                added[following].close()
                model.give(following)
        t.run()
        assert sorted(having) == sorted(model.holders)
        assert [p.state == "parked" for p in added] == [who in (*model.waiting, *model.holders) for who in range(len(added))]
        if value != "lock":
            assert lock.value == model.left
        else:
            assert lock.holder is (added[model.holders[0]] if model.holders else None)


def end(pseudothread, how):
    if how == "close":
        pseudothread.close()
    elif how == "throw":
        pseudothread.throw(KeyError("thrown in"))
    else:
        pseudothread.resume("by another")
