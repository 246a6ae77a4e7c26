"""A million typed calls deep, half of them awaits, closed; and again, dropped."""

import gc

from common import LESS, REFERENCE_COUNTS, Park, Trampoline, trampoline


def level(n):
    try:
        if not n:
            yield Park()
        return (yield from trampoline.call(native(n - 1)))
    finally:
        ended.append(n)


async def native(n):
    try:
        return await trampoline.call(level(n - 1))
    finally:
        ended.append(n)


for close in (True, False):
    ended = []
    t = Trampoline()
    p = t.add(level(LESS))
    t.run()
    assert p.state == "parked"
    if close:
        p.close()
        assert ended == list(range(LESS + 1))
    else:
        del t, p
        gc.collect()
        assert sorted(ended) == list(range(LESS + 1)) or not REFERENCE_COUNTS  # PyPy's collector ends one of a cycle each time it runs
