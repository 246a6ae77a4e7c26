"""Channels, locks and what waits for them: cycles are found by the collector, and what is done leaves nothing."""

import weakref

from common import Token, Trampoline, check, collected, core, flat, watch

from trampoline import Lock


def gets(channel, *held):
    try:
        return (yield channel.get())
    finally:
        for token in held:
            token.ended.append(1)


def puts(channel, value):
    yield channel.put(value)


async def exchanges(channel, count):
    for _ in range(count):
        await channel.put(Token())
        await channel.get()


def parked_and_dropped():
    t, token, channel = Trampoline(), Token(), core.Channel(0)
    ended = token.ended = []
    watched = watch(token, channel, t.add(gets(channel, token)), t.add(gets(channel, token)))
    t.run()
    del t, token, channel
    yield watched
    assert len(ended) == 2


def in_a_cycle_with_its_values():
    channel = core.Channel(None)
    t, token = Trampoline(), Token()
    t.add(puts(channel, (channel, token)))
    t.add(puts(channel, channel.get(token)))
    t.run()
    watched = watch(token, channel)
    del t, token, channel
    yield watched


def an_operation_that_was_kept():
    channel, kept = core.Channel(None), []
    kept += [channel.get(kept), channel.put(kept)]
    watched = watch(channel, *kept)
    del channel, kept
    yield watched


def holds(lock, token):
    with (yield lock):
        yield core.Channel(0).get(token)


def held_and_dropped():
    t, lock, token = Trampoline(), Lock(), Token()
    watched = watch(lock, token, t.add(holds(lock, token)), t.add(holds(lock, token)))
    t.run()
    del t, lock, token
    yield watched


def exchanged():
    t, channel = Trampoline(), core.Channel(1)
    t.add(exchanges(channel, 50))
    t.add(puts(channel, Token()))
    value = Token()
    p = t.add(gets(channel))
    t.add(puts(channel, value))
    t.run()
    return [weakref.ref(what) for what in (t, channel, p, value)]


def handed_and_closed():
    t, channel, value = Trampoline(), core.Channel(0), Token()
    p = t.add(gets(channel))
    t.run()
    t.add(puts(channel, value))
    t.queue.popleft()()
    p.close()
    return [weakref.ref(what) for what in (t, channel, p, value)]


check(collected, parked_and_dropped, in_a_cycle_with_its_values, an_operation_that_was_kept, held_and_dropped)
check(lambda case: flat(case, 200), exchanged, handed_and_closed)  # so many until the free lists of CPython are full
