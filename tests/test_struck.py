"""Ctrl-C at each place within the package where CPython looks for signals: where a function begins, and behind a call of one in C.

Wherever it strikes it comes out of what was called, nobody is lost and nothing is done twice: whoever it did not strike goes on.
"""

import collections
import os
import signal
import sys

import pytest
from wires import run_script

import trampoline
from trampoline import Suspension, first, gather, timeout

PACKAGE = os.path.dirname(trampoline.__file__)


class Strike:
    """Raises KeyboardInterrupt at the moment of that number, if `with` lasts so long."""

    def __init__(self, number, how):
        self.left, self.how, self.where = number, how, None

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self.called if self.how == "call" else None)
        sys.setprofile(None if self.how == "call" else self.called)

    def __exit__(self, *_):
        sys.setprofile(None)
        sys.settrace(self.before)

    def called(self, frame, event, _):
        code = frame.f_code
        if event == self.how and code.co_filename.startswith(PACKAGE) and code.co_name not in ("__del__", "settrace"):
            self.left -= 1
            if not self.left:
                self.where = os.path.basename(code.co_filename), code.co_name, frame.f_lineno
                raise KeyboardInterrupt


class AtOnce(Suspension):
    def suspend(self, pseudothread):
        pseudothread.resume("resumed")


class Promptly(AtOnce):
    def at_once(self, pseudothread):
        return NotImplemented


class Thrown(Suspension):
    def suspend(self, pseudothread):
        pseudothread.throw(KeyError("thrown"))


def value(result):
    yield result


def fails():
    raise KeyError("failed")
    yield


def resumed(core):
    return (yield AtOnce())


def promptly(core):
    return (yield Promptly())


def thrown(core):
    try:
        yield Thrown()
    except KeyError as error:
        return error.args[0]


def slept(core):
    yield core.module.sleep(0)
    yield core.module.sleep(1)


def joined(core):
    return (yield (yield core.spawn(value(1))))


def joined_an_error(core):
    try:
        yield (yield core.spawn(fails()))
    except KeyError as error:
        return error.args[0]


def gathered(core):
    return (yield gather(value(1), slept(core), value(2)))


def raced(core):
    return (yield first(slept(core), value(2)))


def limited(core):
    return (yield timeout(5, value(1)))


def too_late(core):
    try:
        yield timeout(1, slept(core))
    except TimeoutError:
        return "late"


def exchanged(core):
    channel = core.Channel(0)
    channels.append(channel)

    def put():
        try:
            for n in range(3):
                yield channel.put(n)
        except trampoline.ChannelClosed:
            pass

    yield core.spawn(put())
    got = []
    for _ in range(3):
        got.append((yield channel.get(None)))
    return got


channels = []  # to be closed: the one at the other end may be the one that it struck
WAYS = [resumed, promptly, thrown, slept, joined, joined_an_error, gathered, raced, limited, too_late, exchanged]
HOW = ["call", "c_return"]


def root(core, way, name, log):
    log.append((name, "begins"))
    result = yield way(core)
    log.append((name, "went on"))
    return result


def outcome(p):
    try:
        return p.result()
    except BaseException as error:
        return type(error)


def struck_in(core, way, number, how):
    """Run three of that way. Return where it struck, and what is wrong."""
    t, log, out = core.Waiting(clock=core.module.VirtualClock()), [], False
    ps = [t.add(root(core, way, name, log)) for name in "abc"]
    strike = Strike(number, how)
    try:
        with strike:
            t.run()
    except KeyboardInterrupt:  # whose traceback holds what the frames of ours held that it struck
        out = True
    if strike.where is None:
        return None, []
    wrong = [] if out else ["it did not come out"]
    for _ in range(3):  # whoever joins the one that it struck gets it, too
        try:
            t.run()
        except KeyboardInterrupt:
            pass
        except trampoline.Deadlock:
            while channels:
                channels.pop().close()
        except BaseException as error:
            wrong.append(error)
            break
    wrong += [p for p in ps if not p.done]
    undisturbed = way_result(core, way)
    disturbed = [(p, outcome(p)) for p in ps if p.done and outcome(p) != undisturbed]
    if len(disturbed) > 1:
        wrong.append(disturbed)
    if len(set(log)) != len(log):
        wrong.append(log)
    if t.running or t.queue or t.pseudothreads():
        wrong.append((t.running, len(t.queue), t.pseudothreads()))
    return strike.where, wrong


def way_result(core, way):
    t = core.Waiting(clock=core.module.VirtualClock())
    p = t.add(way(core))
    t.run()
    return p.result()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("way", WAYS)
def test_in_run(core, way, how):
    found, number, where = [], 0, True
    while where is not None:
        number += 1
        where, wrong = struck_in(core, way, number, how)
        if wrong:
            found.append((number, where, wrong))
    assert found == []
