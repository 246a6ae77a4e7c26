"""A million levels dropped by clearing the queue, while the pseudothread itself is not kept: no garbage collector is needed."""

import gc

from common import DEPTH, stopped


def bottom(t):
    t.stop()
    yield


gc.disable()
ended = {}
t, p = stopped(bottom, ended)
del p
t.queue.clear()
assert sum(ended.values()) == ended["GeneratorExit"], ended
assert ended["GeneratorExit"] >= DEPTH, ended
