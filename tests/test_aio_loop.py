"""What a trampoline inside asyncio waits for by itself (sockets, deadlines, threads) is the loop's; and the loop's other tasks go on."""

import asyncio
import gc
import socket
import subprocess
import sys
import threading

import pytest
from coroutines import Own
from wires import pair

import trampoline
from trampoline import aio, in_thread, nonblocking_accept, nonblocking_connect, nonblocking_read, nonblocking_write, sleep
from trampoline._guest import Guest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the loops of Windows cannot watch the descriptor of a selector")


def one():
    yield 1


def echo(sock):
    with sock:
        try:
            while True:
                yield nonblocking_write(sock, (yield nonblocking_read(sock)))
        except trampoline.ConnectionLost:
            pass


def accepting(listener):
    me = yield Own()
    while True:
        sock = yield nonblocking_accept(listener)
        me.trampoline.add(echo(sock))


async def client_of_asyncio(port, lines):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got = []
    for line in lines:
        writer.write(line)
        got.append(await reader.readexactly(len(line)))
    writer.close()
    await writer.wait_closed()
    return got


def test_a_server_of_the_trampolines_and_clients_of_asyncios(inside):
    lines = [b"a", b"bc" * 1000, b"d" * 300_000]

    async def main():
        with trampoline.listening_socket("127.0.0.1", 0) as listener:
            server = asyncio.ensure_future(aio.run(accepting(listener)))
            port = listener.getsockname()[1]
            got = await asyncio.gather(*(client_of_asyncio(port, lines) for _ in range(5)))
            server.cancel()
            with pytest.raises(asyncio.CancelledError):
                await server
        return got

    assert inside(main()) == [lines] * 5


@pytest.mark.skipif(sys.platform == "emscripten", reason="Pyodide's loop makes no servers")
def test_a_client_of_the_trampolines_and_a_server_of_asyncios(inside):
    async def upper(reader, writer):
        writer.write((await reader.readexactly(5)).upper())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def asks(port):
        with (yield nonblocking_connect("127.0.0.1", port)) as sock:
            yield nonblocking_write(sock, b"hello")
            answer = b""
            while len(answer) < 5:
                answer += yield nonblocking_read(sock)
            yield asyncio.sleep(0)
            return answer

    async def main():
        server = await asyncio.start_server(upper, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        answers = await asyncio.gather(*(aio.run(asks(port)) for _ in range(5)))
        server.close()
        await server.wait_closed()
        return answers

    assert inside(main()) == [b"HELLO"] * 5


@pytest.mark.parametrize("seconds", [0.001, 0.12])  # before and after closed files were looked for the first time
def test_a_socket_that_is_closed_while_it_is_waited_for(inside, seconds):
    def main():
        ours, theirs = pair()
        me = yield Own()
        other = me.trampoline.add(closes(ours))
        with theirs, pytest.raises(OSError, match="closed"):
            yield nonblocking_read(ours)
        assert other.done

    def closes(sock):
        yield sleep(seconds)
        sock.close()

    inside(main())


def test_a_socket_that_other_code_of_the_loop_closes(inside):
    async def main():
        ours, theirs = pair()
        asyncio.get_running_loop().call_later(0.2, ours.close)
        with theirs, pytest.raises(OSError, match="closed"):
            await aio.run(reads(ours))

    def reads(sock):
        yield nonblocking_read(sock)

    inside(main())


def test_a_read_is_given_up_and_made_again(inside):
    def main():
        ours, theirs = pair()
        with ours, theirs:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    yield trampoline.timeout(0.001, nonblocking_read(ours))
            theirs.sendall(b"now")
            return (yield nonblocking_read(ours))

    assert inside(main()) == b"now"


def test_deadlines_in_their_order(inside):
    def sleeper(milliseconds, log):
        yield sleep(milliseconds / 1000)
        log.append(milliseconds)

    def main():
        log, me = [], (yield Own())
        for milliseconds in (40, 2, 60, 20):
            me.trampoline.add(sleeper(milliseconds, log))
        with pytest.raises(TimeoutError):
            yield trampoline.timeout(0, sleep(60))
        yield trampoline.timeout(60, sleeper(80, log))
        return log

    assert inside(main()) == [2, 20, 40, 60, 80]


def test_what_threads_do(inside):
    def main():
        with pytest.raises(ZeroDivisionError):
            yield in_thread(lambda: 1 / 0)
        return (yield in_thread(threading.get_ident)) != threading.get_ident()

    assert inside(main())


def test_a_thread_resumes(inside):
    class Parked(trampoline.Suspension):
        def suspend(self, pseudothread):
            threading.Timer(0.01, pseudothread.resume, ["resumed"]).start()

    def main():
        return (yield Parked())

    assert inside(main()) == "resumed"


def test_a_thread_adds(inside):
    def main():
        me = yield Own()
        root = me
        event = threading.Event()

        def child():
            event.set()
            root.resume("by the child")
            yield

        thread = threading.Timer(0.01, lambda: me.trampoline.add(child()))
        thread.start()
        got = yield Parked()
        thread.join()
        assert event.is_set()
        return got

    class Parked(trampoline.Suspension):
        def suspend(self, pseudothread):
            pass

    assert inside(main()) == "by the child"


def test_the_loop_goes_on_while_it_computes(inside):
    async def main():
        ticks = []

        def computes():
            while len(ticks) < 20:
                yield one()
            return len(ticks)

        async def ticking():
            while True:
                ticks.append(1)
                await asyncio.sleep(0)

        task = asyncio.ensure_future(ticking())
        count = await aio.run(computes())
        task.cancel()
        return count

    assert inside(main()) == 20


def test_two_that_compute_share_the_time(inside):
    async def main():
        done = set()

        def computes(name, other):
            turns = 0
            while other not in done or turns < 10:
                done.add(name)
                turns += 1
                yield one()
            return True

        return await asyncio.gather(aio.run(computes("a", "b")), aio.run(computes("b", "a")))

    assert inside(main()) == [True, True]


def test_an_idle_one_takes_no_turns(inside, monkeypatch):
    made = []
    turns = Guest._turns

    def counted(guest):
        made.append(guest)
        return turns(guest)

    monkeypatch.setattr(Guest, "_turns", counted)

    def main():
        ours, theirs = pair()
        with ours, theirs:
            yield trampoline.timeout(60, sleep(0.2))
            before = len(made)
            with pytest.raises(TimeoutError):
                yield trampoline.timeout(0.2, nonblocking_read(ours))
            return len(made) - before

    assert inside(main()) <= 3
    assert len(made) <= 8


def test_an_error_in_a_callback_leaves_the_run(inside):
    class Wrong(trampoline.Suspension):
        def suspend(self, pseudothread):
            reactor = pseudothread.trampoline.reactor
            reactor.at(reactor.clock() + 0.001, self.fails)

        def fails(self):
            raise ValueError("in a callback")

    def main():
        try:
            yield Wrong()
        finally:
            log.append("finally")

    log = []
    with pytest.raises(ValueError, match="in a callback"):
        inside(main())
    assert log == ["finally"]


def test_a_deadline_that_is_no_number(inside):
    def main():
        me = yield Own()
        with pytest.raises(ValueError, match="nan"):
            me.trampoline.reactor.at(float("nan"), print)

    inside(main())


def test_a_loop_that_cannot_watch_says_so(inside):
    class Unable:
        """A loop like those of Windows."""

        def add_reader(self, *arguments):
            raise NotImplementedError

        def __repr__(self):
            return "<a loop of Windows>"

    def main():
        me = yield Own()
        me.trampoline.reactor._loop, loop = Unable(), me.trampoline.reactor._loop
        ours, theirs = pair()
        with ours, theirs:
            with pytest.raises(NotImplementedError, match=r"a loop of Windows.*use asyncio's"):
                yield nonblocking_read(ours)
            me.trampoline.reactor._loop = loop
            theirs.sendall(b"data")
            return (yield nonblocking_read(ours))

    assert inside(main()) == b"data"


def test_no_descriptors_are_left(inside):
    def main():
        ours, theirs = pair()
        with ours, theirs:
            theirs.sendall(b"1")
            yield nonblocking_read(ours)
            yield sleep(0.001)

    def highest():
        gc.collect()
        with socket.socket() as probe:
            return probe.fileno()

    inside(main())
    before = highest()
    for _ in range(20):
        inside(main())
    assert highest() <= before + 3


def test_the_package_is_imported_without_asyncio():
    code = "import sys, trampoline; trampoline.trampoline(x for x in [1]); sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
