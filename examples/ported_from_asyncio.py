"""A program for asyncio, and what it becomes: see examples/ported_to_trampoline.py, and `diff` the two. Both print the same.

A server turns lines to upper case, slowly; three clients ask it at the same time, one of them has not the time to wait; then a function
that blocks is called on a thread.
"""

import asyncio
import time


async def shout(reader, writer):
    try:
        line = await reader.readline()
        await asyncio.sleep(len(line) / 50)  # the longer the slower
        writer.write(line.upper())
        await writer.drain()
    finally:
        writer.close()


async def ask(port, word):
    reader, writer = await asyncio.open_connection("localhost", port)
    try:
        writer.write(f"{word}\n".encode())
        await writer.drain()
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


async def ask_in_time(port, word, seconds):
    try:
        answer = await asyncio.wait_for(ask(port, word), seconds)
    except asyncio.TimeoutError:
        answer = "no answer in time"
    print(f"{word}: {answer}")
    return answer


def blocking(answers):
    time.sleep(0.01)
    return sum(map(len, answers))


async def main():
    server = await asyncio.start_server(shout, "localhost", 0)
    port = server.sockets[0].getsockname()[1]
    answers = await asyncio.gather(
        ask_in_time(port, "parakeets", 5),
        ask_in_time(port, "owl", 5),
        ask_in_time(port, "a very long line about an albatross", 0.4),
    )
    print(answers)
    print(await asyncio.to_thread(blocking, answers))
    server.close()
    await server.wait_closed()


asyncio.run(main())
