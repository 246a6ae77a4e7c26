"""Many threads at one trampoline, for tests: begun at the same time, and the trampoline on a thread of its own."""

import sysconfig
import threading
import time

import trampoline

FREE = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
THREADS = 4
ROUNDS = 100 if FREE else 60


def pause():
    """Let the others go on: with the interpreter's lock whoever looks again and again keeps it."""
    time.sleep(0 if FREE else 0.0002)


def at_once(*acts):
    """Call each on a thread of its own, all begun at the same time. Raise what one of them raises."""
    errors, gate = [], threading.Barrier(len(acts))

    def call(act):
        gate.wait()
        try:
            act()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Station(trampoline.Suspension):
    """Parks whoever yields it, and lets threads have them, each of them all."""

    external = True

    def __init__(self):
        self.waiting = []

    def suspend(self, pseudothread):
        """Let it be seen."""
        self.waiting.append(pseudothread)

    def withdraw(self, pseudothread):
        """Nothing is kept."""


class Server:
    """A trampoline that runs on a thread of its own until it is left."""

    def __init__(self, core):
        self.t, self.errors, self.over = core.Waiting(), [], False
        self.thread = threading.Thread(target=self.run)

    def turn(self):
        while not self.over:
            yield trampoline.sleep(0.001)

    def run(self):
        while not self.over:
            try:
                self.t.run()
            except BaseException as error:
                self.errors.append(error)
                raise

    def __enter__(self):
        self.t.add(self.turn())
        self.thread.start()
        return self.t

    def __exit__(self, kind, error, traceback):
        self.over = True
        self.thread.join()
        with self.t:
            if error is None:
                self.t.run()
        assert self.errors == []
