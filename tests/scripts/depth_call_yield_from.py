"""A million typed calls deep by `yield from call(...)`, finished and raised through."""

from common import LESS, Mishap, Trampoline, fails, trampoline


def level(n):
    if n:
        return (yield from trampoline.call(level(n - 1))) + 1
    if bad:
        raise Mishap("at the bottom")
    return 0
    yield


t = Trampoline()
bad = False
t.add(level(LESS))
assert t.run() == LESS
bad = True
t.add(level(LESS))
fails(t)
