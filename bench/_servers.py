"""The echo servers of the workloads `echo` and `idle`, each by its library's best idiom. Other end: `python -m bench._servers NAME`.

A server prints `{"port": ...}`, answers each line on stdin with a reading of its CPU time and memory since then, and ends when stdin
ends. A thread does that: it sleeps in read() while the server works, so it costs the server nothing and suits every loop alike. The
servers count no requests, which would be in the figures: the client knows how many it had answered.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from bench import _registry
from bench._subprocess import resident

HOST = "127.0.0.1"
SIZE = 65536
BACKLOG = 1024
BARE = "bare"
Ready = Callable[[int], None]


def serve_trampoline(ready: Ready) -> None:
    """Serve as PEP 342 has it."""
    from trampoline import ConnectionLost, Trampoline, listening_socket, nonblocking_accept, nonblocking_read, nonblocking_write

    def echo(sock: Any) -> Any:
        with contextlib.suppress(ConnectionLost), sock:
            while True:
                data = yield nonblocking_read(sock, SIZE)
                yield nonblocking_write(sock, data)

    def listen_on(sock: Any) -> Any:
        while True:
            connection = yield nonblocking_accept(sock)
            trampoline.add(echo(connection))

    trampoline = Trampoline()
    listener = listening_socket(HOST, 0)
    trampoline.add(listen_on(listener))
    ready(listener.getsockname()[1])
    trampoline.run()


def serve_streams(ready: Ready, module: str = "asyncio") -> None:
    """Serve with asyncio's streams, on its own loop or uvloop's."""
    import asyncio

    async def echo(reader: Any, writer: Any) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(SIZE):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(echo, HOST, 0, backlog=BACKLOG)
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    new_event_loop(module).run_until_complete(main())


def serve_protocol(ready: Ready, module: str = "asyncio") -> None:
    """Serve with callbacks, on asyncio's loop or uvloop's."""
    import asyncio

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    loop = new_event_loop(module)

    async def main() -> None:
        server = await loop.create_server(Echo, HOST, 0, backlog=BACKLOG)
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    loop.run_until_complete(main())


def new_event_loop(module: str) -> Any:
    """Return a new loop of asyncio or uvloop."""
    return getattr(_registry.load(module), "library").new_event_loop()  # noqa: B009


def serve_gevent(ready: Ready) -> None:
    """Serve with a greenlet for each connection."""
    from gevent.server import StreamServer

    def echo(sock: Any, address: Any) -> None:
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(SIZE):
                sock.sendall(data)

    server = StreamServer((HOST, 0), echo, backlog=BACKLOG)
    server.start()
    ready(server.server_port)
    server.serve_forever()


def serve_trio(ready: Ready) -> None:
    """Serve with trio's SocketStream."""
    import trio

    async def echo(stream: Any) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            while data := await stream.receive_some(SIZE):
                await stream.send_all(data)

    async def main() -> None:
        listeners = await trio.open_tcp_listeners(0, host=HOST, backlog=BACKLOG)
        ready(listeners[0].socket.getsockname()[1])
        await trio.serve_listeners(echo, listeners)

    trio.run(main)


def serve_curio(ready: Ready) -> None:
    """Serve with curio's sockets."""
    curio = _registry.load("curio").package

    async def echo(client: Any, address: Any) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await client.recv(SIZE):
                await client.sendall(data)

    async def main() -> None:
        listener = curio.network.tcp_server_socket(HOST, 0, backlog=BACKLOG)
        ready(listener.getsockname()[1])
        await curio.network.run_server(listener, echo)

    curio.run(main)


def serve_bare(ready: Ready) -> None:
    """Answer one request of each connection and hold it: what the memory of the others is measured beside."""
    listener = socket.create_server((HOST, 0), backlog=BACKLOG)
    ready(listener.getsockname()[1])
    held = []
    while True:
        connection, _address = listener.accept()
        connection.setblocking(False)  # as the others have it
        connection.setblocking(True)
        connection.sendall(connection.recv(SIZE))
        held.append(connection)


SERVERS: dict[str, Callable[[Ready], None]] = {
    "C core": serve_trampoline,
    "Python core": serve_trampoline,
    "asyncio": serve_streams,
    "asyncio Protocol": serve_protocol,
    "uvloop": lambda ready: serve_streams(ready, "uvloop"),
    "uvloop Protocol": lambda ready: serve_protocol(ready, "uvloop"),
    "gevent": serve_gevent,
    "trio": serve_trio,
    "curio": serve_curio,
    BARE: serve_bare,
}


def answer(found: dict[str, Any]) -> None:
    """Print one line for the other end."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def give_readings() -> None:
    """Answer each line with the CPU seconds (user and system) and the resident bytes of this process, till there are no more."""
    while line := sys.stdin.readline():
        if line == "memory\n":
            gc.collect()
            answer({"memory": resident()})
        else:
            answer({"cpu": time.process_time()})
    os._exit(0)


def main(name: str) -> None:
    """Serve till stdin ends."""
    threading.Thread(target=give_readings, daemon=True).start()
    SERVERS[name](lambda port: answer({"port": port}))


if __name__ == "__main__":
    main(sys.argv[1])
