"""Random coroutine programs: what they are made of, and how they become Python source. `worlds` runs them.

A program is drawn by hypothesis as nested tuples, `(word, argument...)`, and rendered as the source of real functions: a failing example
prints as a program that can be read and run. Its bodies have no loops and its world makes only so many coroutines, so each program ends.

'plain' programs use what PEP 342's recipe has. 'full' ones use the rest as well: suspensions, resume, throw, close, tail calls, `call()`,
contexts, native coroutines and objects as coroutines, an overridden `schedule`, another queue. 'nasty' ones collect garbage inside turns,
close coroutines and swap queues behind the trampoline's back; there only the end can be judged.
"""

import textwrap

from hypothesis import strategies as st

SLOTS = 3
KINDS = ("none", "number", "text", "list", "error", "noisy", "iterator", "function", "class", "adder", "pseudothread")
ERRORS = ("ValueError", "KeyError", "Fault", "StopIteration", "StopAsyncIteration", "GeneratorExit", "KeyboardInterrupt", "SystemExit")
SUSPENDS = ("resume", "throw", "raise", "resume, raise", "close", "close, raise", "step", "twice")
LATER = ("resume", "throw", "raise", "close", "step")
AT_ONCE = ("at once", "at once, raise", "at once, step", "later", *(f"later, {word}" for word in LATER))
CAUGHT = ("ValueError", "LookupError", "Exception", "RuntimeError", "BaseException", "(KeyError, Fault)")

# Drawing a program.

body = st.integers(0, 3)
slot = st.integers(0, SLOTS - 1)
kind = st.sampled_from(KINDS)
error = st.sampled_from(ERRORS)
number = st.integers(0, 5)

QUIET = [  # what may stand where nothing can be yielded, too
    st.tuples(st.just("add"), body),
    st.tuples(st.just("add_slot"), slot),
    st.tuples(st.just("keep"), slot, body),
    st.tuples(st.just("drop"), slot),
    st.tuples(st.just("look")),
    st.tuples(st.just("stop")),
    st.tuples(st.just("append"), st.sampled_from(("log", "raise", "add", "stop", "pop", "left")), body),
    st.tuples(st.just("schedule"), body, body, st.sampled_from(("start", "value", "error", "primed")), kind),
    st.tuples(st.just("rotate")),
]
PLAIN = [
    st.tuples(st.just("yield"), kind),
    st.tuples(st.just("call"), body),
    st.tuples(st.just("call"), body),
    st.tuples(st.just("call_slot"), slot),
    st.tuples(st.just("call_self")),
    st.tuples(st.just("return"), kind),
    st.tuples(st.just("raise"), error),
    st.tuples(st.just("reraise")),
    st.tuples(st.just("local")),
    st.tuples(st.just("pop")),
]
FULL_QUIET = [
    st.tuples(st.just("resume"), number, kind),
    st.tuples(st.just("throw"), number, error),
    st.tuples(st.just("close"), number),
    st.tuples(st.just("report"), number),
    st.tuples(st.just("context"), body),
    st.tuples(st.just("set"), number),
]
FULL = [
    st.tuples(st.just("typed_call"), body),
    st.tuples(st.just("typed_call_slot"), slot),
    st.tuples(st.just("tail"), body),
    st.tuples(st.just("park")),
    st.tuples(st.just("park")),
    st.tuples(st.just("suspend"), st.sampled_from(SUSPENDS), kind),
    st.tuples(st.just("suspend"), st.sampled_from(AT_ONCE), kind),
    st.tuples(st.just("await"), st.sampled_from(("resume", "throw", "raise", "at once", "at once, raise", "later, resume")), kind),
]
NASTY = [
    st.tuples(st.just("collect")),
    st.tuples(st.just("close_coroutine"), number),
    st.tuples(st.just("queue"), st.sampled_from(("clear", "deque", "swap", "back", "doubled"))),
    st.tuples(st.just("run")),
    st.tuples(st.just("other"), number),
]
WORDS = {"plain": (QUIET, PLAIN), "full": (QUIET + FULL_QUIET, PLAIN + FULL), "nasty": (QUIET + FULL_QUIET + NASTY, PLAIN + FULL + NASTY)}


def operations(words, quiet, depth=2):
    """Return the strategy for the operations of one block."""
    choices = list(words) + list(quiet)
    if depth:
        block = operations(words, quiet, depth - 1)
        tried = st.tuples(st.just("try"), block, st.lists(st.tuples(st.sampled_from(CAUGHT), block), max_size=2), st.none() | block)
        choices += [tried, tried, tried]
    return st.lists(st.one_of(choices), min_size=1, max_size=5)


def tame(words):
    """Leave out what takes entries by hand inside a turn: tracebacks of the recipe's errors hold the closures of all turns around it."""
    return [word for word in words if not any(f"just('{wild}')" in repr(word) for wild in ("pop", "rotate"))]


def programs(level, wild=True):
    """Return the strategy for whole programs of the level 'plain', 'full' or 'nasty'; if not `wild`, without entries taken by hand."""
    quiet, loud = WORDS[level] if wild else map(tame, WORDS[level])
    flavours = ("generator",) if level == "plain" else ("generator", "generator", "generator", "native", "object")
    # What a `finally` sees of the queue while a deep stack is dropped depends on when CPython frees the recipe's nested tuples.
    at_the_end = st.lists(st.one_of(quiet if wild else [word for word in quiet if "just('look')" not in repr(word)]), max_size=2)
    one = st.fixed_dictionaries({"flavour": st.sampled_from(flavours), "block": operations(loud, quiet), "finally": at_the_end})
    main = st.lists(st.one_of([*quiet, st.just(("pop",)), st.just(("run",)), st.tuples(st.just("add"), body)]), min_size=1, max_size=6)
    kinds = ("own",) if level == "plain" and not wild else ("own", "own", "own", "overridden", "own frames", "deque")
    kinds = (*kinds, "dropping") if wild else kinds
    return st.fixed_dictionaries(
        {
            "level": st.just(level),
            "trampoline": st.sampled_from(kinds),
            "weak": st.booleans(),  # whether only the trampoline keeps the pseudothreads
            "bodies": st.lists(one, min_size=4, max_size=4),
            "main": main,
        }
    )


# From tuples to source.

YIELDS = {
    "call": "w.make({0})",
    "call_slot": "w.slots[{0}]",
    "call_self": "w.coroutine(name)",
    "park": "w.park()",
    "suspend": "w.suspension({0!r}, {1!r})",
}
STATEMENTS = {
    "raise": "raise w.error({0!r})",
    "reraise": "raise",
    "local": "kept.append(w.value('noisy'))",
    "tail": "raise w.TailCall(w.make({0}))",
    "typed_call": "got = {delegate} w.call(w.make({0}))\n{received}",
    "typed_call_slot": "got = {delegate} w.call(w.slots[{0}])\n{received}",
    "await": "got = {delegate} w.suspension({0!r}, {1!r})\n{received}",
}


def render(block, flavour, received):
    """Return the source of a block of operations."""
    lines = []
    delegate = "await" if flavour == "native" else "yield from"
    for word, *arguments in block:
        if word == "try":
            tried, handlers, last = arguments
            lines.append("try:\n" + indented(render(tried, flavour, received)))
            for what, handler in handlers:
                lines.append(f"except {what} as error:\n" + indented("w.caught(name, error)\n" + render(handler, flavour, received)))
            if last is not None or not handlers:
                lines.append("finally:\n" + indented("w.passing(name, 'finally')\n" + render(last or [], flavour, received)))
        elif word in YIELDS:
            target = YIELDS[word].format(*arguments)
            got = f"got = yield {target}" if flavour != "native" else f"got = await w.wait({target})"
            lines.append(f"w.log(name, {word!r})\n{got}\n{received}")
        elif word == "yield":
            value = f"w.value({arguments[0]!r})"
            lines.append(f"return {value}" if flavour == "native" else f"got = yield {value}\n{received}")
        elif word == "return":
            lines.append(f"return w.value({arguments[0]!r})")
        elif word in STATEMENTS:
            lines.append(STATEMENTS[word].format(*arguments, delegate=delegate, received=received))
        else:
            lines.append(f"w.do({(word, *arguments)!r})")
    return "\n".join(lines) or "pass"


def indented(text):
    return textwrap.indent(text, "    ")


def source(program):
    """Return the program as Python source: functions body0, body1, ... that take the world and their own name."""
    received = "w.received(name, got)"
    functions = []
    for index, one in enumerate(program["bodies"]):
        block = render(one["block"], one["flavour"], received)
        end = render(one["finally"], one["flavour"], received)
        head = "async def" if one["flavour"] == "native" else "def"
        unreachable = "" if one["flavour"] == "native" else "    yield\n"
        functions.append(
            f"{head} body{index}(w, name):\n    kept = []\n    w.log(name, 'starts')\n    try:\n{indented(indented(block))}\n"
            f"    finally:\n        w.passing(name, 'ends')\n{indented(indented(end))}\n    return\n{unreachable}"
        )
    return "\n".join(functions)
