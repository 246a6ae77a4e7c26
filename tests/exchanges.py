"""What puts into channels and gets from them, for the tests of channels."""

WAYS = ["yield", "yield from", "await"]


def puts(channel, values, log):
    for value in values:
        yield channel.put(value)
        log.append(("put", value))


def gets(channel, log, name="got"):
    """Get until the channel is closed, in the way of generators."""
    while (value := (yield channel.get(None))) is not None:
        log.append((name, value))


async def iterates(channel, log, name="got"):
    async for value in channel:
        log.append((name, value))


def put_by(channel, way):
    """Return a function that makes a coroutine which puts, and one which gets, by `yield`, `yield from` or `await`."""

    async def put(value):
        return await channel.put(value)

    async def get(*default):
        return await channel.get(*default)

    def put_from(value):
        return (yield from channel.put(value))

    def get_from(*default):
        return (yield from channel.get(*default))

    return {"yield": (channel.put, channel.get), "yield from": (put_from, get_from), "await": (put, get)}[way]


def named(log, kind):
    return [what for name, what in log if name == kind]


def started(t, *coroutines):
    """Add the coroutines and run as far as they go."""
    added = [t.add(coroutine) for coroutine in coroutines]
    t.run()
    return added
