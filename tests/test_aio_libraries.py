"""Libraries of asyncio's, as they are, called by generators: aiohttp with client and server, redis with a real server."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from coroutines import Own

import trampoline
from trampoline import aio, call, sleep

EXAMPLES = Path(__file__).parent.parent / "examples"
PATIENCE = 30  # seconds
LATE = (TimeoutError, asyncio.TimeoutError)  # two classes on Python 3.10


@contextlib.asynccontextmanager
async def served(aiohttp_web, handler):
    """Serve at a port of its own. Give the URL."""
    app = aiohttp_web.Application()
    app.router.add_get("/{number}", handler)
    runner = aiohttp_web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = aiohttp_web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def web():
    return pytest.importorskip("aiohttp.web", reason="aiohttp is an extra")


@pytest.fixture
def aiohttp(web):
    import aiohttp

    return aiohttp


def test_aiohttps_client_is_yielded(inside, aiohttp, web):
    async def handler(request):
        await asyncio.sleep(0)
        return web.json_response({"number": int(request.match_info["number"])})

    def numbers(session, url):
        found = []
        for number in range(5):
            response = yield session.get(f"{url}/{number}")
            found.append((yield response.json())["number"])
            response.release()
        return found

    async def entered(session, url):
        async with session.get(f"{url}/7") as response:
            await sleep(0)
            return (await response.json())["number"], await call(numbers(session, url))

    def main(session, url):
        first = yield numbers(session, url)
        return first, (yield entered(session, url)), (yield trampoline.timeout(PATIENCE, numbers(session, url)))

    async def outer():
        async with served(web, handler) as url, aiohttp.ClientSession() as session:
            return await aio.run(main(session, url))

    five = [0, 1, 2, 3, 4]
    assert inside(outer()) == (five, (7, five), five)


def test_aiohttps_handlers_are_trampolines(inside, aiohttp, web):
    def tree(depth):
        if not depth:
            yield 1
        yield (yield tree(depth - 1)) + (yield tree(depth - 1))

    async def handler(request):
        return web.Response(text=str(await aio.run(tree(int(request.match_info["number"])))))

    async def get(session, url):
        async with session.get(url) as response:
            return int(await response.text())

    async def outer():
        async with served(web, handler) as url, aiohttp.ClientSession() as session:
            return await asyncio.gather(*(get(session, f"{url}/{number % 10}") for number in range(30)))

    assert inside(outer()) == [2 ** (number % 10) for number in range(30)]


def test_aiohttps_timeouts_and_ours(inside, aiohttp, web):
    stop = []

    async def handler(request):
        while not stop:  # aiohttp lets it go on when the client has gone
            await asyncio.sleep(0.001)
        return web.Response()

    def main(session, url):
        me = yield Own()
        with pytest.raises(LATE):
            yield session.get(f"{url}/1", timeout=aiohttp.ClientTimeout(total=0.05))
        with pytest.raises(LATE):
            yield trampoline.timeout(0.05, session.get(f"{url}/2"))
        failed = []
        others = [me.trampoline.add(late(session, f"{url}/{number}", failed)) for number in (3, 4)]
        while not all(other.done for other in others):
            yield sleep(0.001)
        return failed

    def late(session, url, failed):
        try:
            yield session.get(url, timeout=aiohttp.ClientTimeout(total=0.05))
        except LATE:
            failed.append(True)

    async def outer():
        async with served(web, handler) as url, aiohttp.ClientSession() as session:
            try:
                return await aio.run(main(session, url))
            finally:
                stop.append(True)

    assert inside(outer()) == [True, True]


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the examples are not here: there is no {EXAMPLES}")
def test_the_example(core, web):
    """It goes as deep as the links do."""
    environment = {**os.environ, "PYTHONPATH": str(Path(trampoline.__file__).parent.parent)}
    environment.pop("TRAMPOLINE_NO_EXTENSIONS", None)
    if core.name == "python":
        environment["TRAMPOLINE_NO_EXTENSIONS"] = "1"
    command = [sys.executable, "-W", "error", str(EXAMPLES / "aiohttp_inside.py"), "300"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
    assert (ran.stdout, ran.stderr) == ("599 pages, 300 deep\n", "")


@pytest.fixture(scope="module")
def redis_place():
    """The path of the Unix socket of a real redis server."""
    pytest.importorskip("redis.asyncio", reason="redis is an extra")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on PATH")
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        place = Path(folder, "socket")
        command = [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                until = time.monotonic() + PATIENCE
                while not place.exists():
                    assert server.poll() is None, "redis-server ended"
                    assert time.monotonic() < until, "redis-server does not answer"
                    time.sleep(0.01)
                yield str(place)
            finally:
                server.kill()


def closed(client):
    return client.aclose() if hasattr(client, "aclose") else client.close()


def test_a_redis_client_is_yielded(inside, redis_place):
    from redis.asyncio import Redis

    def main():
        client = Redis(unix_socket_path=redis_place)
        try:
            yield client.flushall()
            for number in range(20):
                yield client.set(f"key {number}", number)
            values = yield asyncio.gather(*(client.get(f"key {number}") for number in range(20)))
            yield client.rpush("list", "a", "b")
            popped = yield trampoline.timeout(PATIENCE, client.blpop("list"))
            with pytest.raises(LATE):
                yield trampoline.timeout(0.05, client.blpop("nothing"))
            return [int(value) for value in values], popped, (yield pipelined(client))
        finally:
            yield closed(client)

    async def pipelined(client):
        async with client.pipeline() as pipeline:
            pipeline.incr("count").incr("count")
            return await pipeline.execute()

    assert inside(main()) == (list(range(20)), (b"list", b"a"), [1, 2])


def test_redis_cancelled_from_outside(inside, redis_place):
    from redis.asyncio import Redis

    log = []

    def main(client):
        try:
            log.append("begun")
            yield client.blpop("nothing")
        finally:
            log.append((yield client.ping()))

    async def outer():
        client = Redis(unix_socket_path=redis_place)
        task = asyncio.ensure_future(aio.run(main(client)))
        while not log:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed(client)

    inside(outer())
    assert log == ["begun", True]


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the servers need POSIX")
