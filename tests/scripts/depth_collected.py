"""A million levels in a cycle through the pseudothread, the trampoline and the suspension, found by the garbage collector."""

import gc
import weakref

from common import Park, all_ended, stopped


def bottom(t):
    park = Park()
    park.trampoline = t
    yield park


ended = {}
t, p = stopped(bottom, ended)
p.waits_for.pseudothread = p
ref = weakref.ref(p)
del t, p
assert ref() is not None
gc.collect()
assert ref() is None
assert all_ended(ended), ended
