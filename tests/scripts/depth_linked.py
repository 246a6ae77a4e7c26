"""A million callers given to schedule() as nested pairs: run to the end, closed, and dropped."""

from common import DEPTH, Trampoline


def passes_on():
    yield (yield)


def stack():
    nested = ()
    for _ in range(DEPTH):
        caller = passes_on()
        next(caller)
        nested = (caller, nested)
    return nested


def bottom():
    yield "end"


t = Trampoline()
t.schedule(bottom(), stack())
assert t.run() == "end"
p = t.schedule(bottom(), stack())
p.close()
assert p.done
p = t.schedule(bottom(), stack())
assert len(p.stack) == DEPTH + 1
del p
t.queue.clear()
