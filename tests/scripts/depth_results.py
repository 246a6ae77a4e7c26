"""A million pseudothreads, each of which keeps the one before: as its result, in its coroutine's frame, and as an entry of its queue.

The longest of these chains that generators alone survive is far shorter, so in a frame it is 10,000.
"""

from common import LESS, Trampoline, core


def gives(value):
    return value
    yield


def holds(value):
    yield value


t = Trampoline()
p = None
for _ in range(LESS):
    p = t.add(gives(p))
    t.run()
del p

p = None
for _ in range(10_000):
    p = t.add(holds(p))
    t.queue.popleft()
del p

queue = core.Queue()
for _ in range(LESS):
    outer = core.Queue()
    outer.append(queue.append)
    queue = outer
del queue, outer
