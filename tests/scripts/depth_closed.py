"""A million levels closed from the innermost on: each sees GeneratorExit."""

from common import DEPTH, Park, stopped


def bottom(t):
    yield Park()


ended = {}
t, p = stopped(bottom, ended)
assert p.state == "parked"
p.close()
assert ended == {"GeneratorExit": DEPTH + 1}
assert p.done
assert p.stack == ()
t.close()
