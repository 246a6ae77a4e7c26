"""examples/ported_from_asyncio.py, ported; `diff` the two. `async def` and `await` stay: what is awaited changes.

A server turns lines to upper case, slowly; three clients ask it at the same time, one of them has not the time to wait; then a function
that blocks is called on a thread.

There are no streams: a socket is read and written itself. A pseudothread is started with `add()`; to wait for several, `gather` is a
`Suspension` of our own.
"""

import time

from trampoline import (
    Suspension,
    Trampoline,
    in_thread,
    listening_socket,
    nonblocking_accept,
    nonblocking_connect,
    nonblocking_read,
    nonblocking_write,
    sleep,
    timeout,
)


class gather(Suspension):
    """Run coroutines at the same time, each in a pseudothread, and give the list of their results; or the first error, as it comes."""

    def __init__(self, *coroutines):
        self.coroutines = coroutines
        self.results = {}
        self.parts = []

    def suspend(self, pseudothread):
        self.waiting = pseudothread
        self.parts = [pseudothread.trampoline.add(self._part(place, each)) for place, each in enumerate(self.coroutines)]

    def withdraw(self, pseudothread):
        if self.waiting is not None:  # else it is our own throw() below
            self.waiting = None
            for part in self.parts:
                part.close()

    async def _part(self, place, coroutine):
        error = None
        try:
            self.results[place] = await coroutine
        except Exception as raised:
            error = raised
        if self.waiting is None:
            return
        if error is not None or len(self.results) == len(self.coroutines):
            waiting, self.waiting = self.waiting, None
            if error is not None:
                waiting.throw(error)
            else:
                waiting.resume([self.results[place] for place in range(len(self.coroutines))])


async def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        line += await nonblocking_read(sock)
    return line


async def shout(sock):
    with sock:
        line = await read_line(sock)
        await sleep(len(line) / 50)  # the longer the slower
        await nonblocking_write(sock, line.upper())


async def ask(port, word):
    sock = await nonblocking_connect("localhost", port)
    with sock:
        await nonblocking_write(sock, f"{word}\n".encode())
        return (await read_line(sock)).decode().strip()


async def ask_in_time(port, word, seconds):
    try:
        answer = await timeout(seconds, ask(port, word))
    except TimeoutError:
        answer = "no answer in time"
    print(f"{word}: {answer}")
    return answer


def blocking(answers):
    time.sleep(0.01)
    return sum(map(len, answers))


async def serve(t, sock):
    with sock:
        while True:
            t.add(shout(await nonblocking_accept(sock)))


async def main(t):
    listening = listening_socket("localhost", 0)
    t.add(serve(t, listening))
    port = listening.getsockname()[1]
    answers = await gather(
        ask_in_time(port, "parakeets", 5),
        ask_in_time(port, "owl", 5),
        ask_in_time(port, "a very long line about an albatross", 0.4),
    )
    print(answers)
    print(await in_thread(blocking, answers))
    t.stop()


with Trampoline() as t:  # what is left at its end is closed, as by asyncio.run()
    t.add(main(t))
    t.run()
