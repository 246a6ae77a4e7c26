"""Generators inside an asyncio program: an aiohttp server whose pages link to each other, and a crawler of plain generators.

    python examples/aiohttp_inside.py [PAGES]

The crawler yields aiohttp's own awaitables, and goes as deep as the links do: without end but for memory, where an `async def` that awaits
itself would meet the recursion limit. Needs aiohttp (`pip install ctrampoline[asyncio]`).
"""

import asyncio
import sys
from functools import partial

from aiohttp import ClientSession, ClientTimeout, web

from trampoline import aio, timeout


async def page(last, request):
    """Answer with the numbers of the pages that a page links to: the next, and one of its own."""
    number = int(request.match_info["number"])
    return web.json_response([] if number >= last else [number + 1, last + number + 1])


def crawl(session, url, number):
    """Fetch a page and all that it links to. Return how many there are, and how deep they go."""
    response = yield timeout(30, session.get(f"{url}/{number}"))
    links = yield response.json()
    pages, depth = 1, 0
    for link in links:
        more, deeper = yield crawl(session, url, link)
        pages, depth = pages + more, max(depth, deeper)
    return pages, depth + 1


async def main(last):
    """Serve the pages, and crawl them."""
    app = web.Application()
    app.router.add_get("/{number}", partial(page, last))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession(timeout=ClientTimeout(total=60)) as session:
            pages, depth = await aio.run(crawl(session, url, 1))
        print(f"{pages} pages, {depth} deep")
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
