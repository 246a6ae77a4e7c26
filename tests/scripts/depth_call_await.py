"""A million typed calls deep of native coroutines by `await call(...)`, finished and raised through."""

from common import LESS, Mishap, Trampoline, fails, trampoline


async def level(n):
    if n:
        return await trampoline.call(level(n - 1)) + 1
    if bad:
        raise Mishap("at the bottom")
    return 0


t = Trampoline()
bad = False
t.add(level(LESS))
assert t.run() == LESS
bad = True
t.add(level(LESS))
fails(t)
