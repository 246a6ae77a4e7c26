"""A million levels left standing by stop(), and the trampoline dropped with them."""

import gc

from common import all_ended, stopped


def bottom(t):
    t.stop()
    return waits()
    yield


def waits():
    yield


ended = {}
t, p = stopped(bottom, ended)
del t, p
gc.collect()
assert all_ended(ended), ended
