"""What the tests of every subject begin with: the shortest coroutines, an error to raise, and a run to one's end."""

import trampoline


class Mishap(Exception):
    """What fails."""


class Own(trampoline.Suspension):
    """Goes on at once with the pseudothread."""

    def suspend(self, pseudothread):
        pseudothread.resume(pseudothread)


def value(result):
    yield result


def returned(result):
    return result
    yield


async def native(result):
    return result


def failing(error):
    raise error
    yield


def waits(suspension):
    return (yield suspension)


def outcome(t, coroutine):
    p = t.add(coroutine)
    t.run()
    return p.result()
