"""A million levels dropped by clearing the queue, while the pseudothread itself is not kept: no garbage collector is needed."""

import gc

from common import DEPTH, REFERENCE_COUNTS, stopped


def bottom(t):
    t.stop()
    yield


gc.disable()
ended = {}
t, p = stopped(bottom, ended)
del p
t.queue.clear()
assert set(ended) == {"GeneratorExit"} or not REFERENCE_COUNTS and not ended, ended
assert not REFERENCE_COUNTS or ended["GeneratorExit"] >= DEPTH, ended
