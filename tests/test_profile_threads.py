"""Profiles of all threads, timelines, and what of a profile is kept. On both cores."""

import functools
import gc
import json
import threading
import weakref

import pytest
from profiles import ALL, cheap, is_conserved, main, measuring, paths, run

from trampoline import _profile


@pytest.fixture
def profile(core):
    """Make profiles of this core."""
    return functools.partial(measuring, core)


@pytest.fixture
def threads(core):
    """A profile of all threads, which is stopped in the end."""
    made = _profile.ProfileOfThreads()
    made._core = core.module
    made.start()
    yield made
    if made.running:
        made.stop()


def test_the_timeline(core, profile, tmp_path):
    """A track for each pseudothread, in microseconds, whose turns and waits do not overlap."""
    with profile(timeline=1000) as measured:
        run(core, main(), main())
    measured.save(tmp_path / "x.trace.json")
    found = json.loads((tmp_path / "x.trace.json").read_text())
    events = [event for event in found["traceEvents"] if event["ph"] == "X"]
    tracks = {event["tid"]: event["args"]["name"] for event in found["traceEvents"] if event["name"] == "thread_name"}
    assert sorted(name.rpartition(" ")[2] for name in tracks.values()) == ["main", "main"]
    assert set(tracks) == {event["tid"] for event in events}
    for track in tracks:
        ends = 0
        for event in sorted((event for event in events if event["tid"] == track), key=lambda event: (event["ts"], event["dur"])):
            assert event["ts"] >= ends - 0.002
            ends = event["ts"] + event["dur"]
    assert {"leaf", "dear", "cheap", "main"} <= {event["name"] for event in events}
    assert found["otherData"] == {"cap": 1000, "left_out": 0}


def test_the_timeline_is_capped_and_says_so(core, profile, tmp_path):
    with profile(timeline=5) as measured:
        run(core, main())
    measured.save(tmp_path / "x.trace.json")
    found = json.loads((tmp_path / "x.trace.json").read_text())
    assert sum(event["ph"] == "X" for event in found["traceEvents"]) == 5
    assert found["otherData"]["left_out"] > 5
    said = f"capped at 5 events: {found['otherData']['left_out']} later ones are left out"
    assert sum(said in str(event) for event in found["traceEvents"]) == 2


def test_the_timeline_of_a_profile_within_it_is_its_own_too(core, profile, tmp_path):
    """As long as it has room: what comes later is counted."""
    with profile(timeline=20) as outer:
        for _ in range(3):
            with profile(timeline=12) as inner:
                run(core, main())
    names = []
    for measured in (inner, outer):
        measured.save(tmp_path / "x.trace.json")
        found = json.loads((tmp_path / "x.trace.json").read_text())
        names.append([event["name"] for event in found["traceEvents"] if event["ph"] == "X"])
    assert names[1] == names[0] * 2
    assert len(names[0]) == 12
    all_of_one = 12 + (found["otherData"]["left_out"] - 12) // 3
    assert found["otherData"]["left_out"] == 3 * (all_of_one - 12) + 12


def test_who_was_deep_in_calls_already_has_the_name_of_its_root(core, profile, tmp_path):
    measured = profile(timeline=100)

    def root():
        yield caller()

    def caller():
        yield starts()

    def starts():
        measured.start()
        yield cheap()

    run(core, root())
    measured.stop()
    measured.save(tmp_path / "x.trace.json")
    events = json.loads((tmp_path / "x.trace.json").read_text())["traceEvents"]
    (name,) = [event["args"]["name"] for event in events if event["name"] == "thread_name" and event["tid"]]
    assert name.endswith("root")
    assert "starts" in {event["name"].rpartition(".")[2] for event in events if event["ph"] == "X"}


def test_no_timeline_was_asked_for(core, profile, tmp_path):
    with profile() as measured:
        run(core, main())
    with pytest.raises(ValueError, match=r"profile\(timeline=100_000\)"):
        measured.save(tmp_path / "x.trace.json")


def test_all_threads(core, threads):
    """Those that run already, those that come, and one inside of which there is a profile of its own."""
    inner = []

    def work():
        run(core, main())
        own = _profile.profile()
        own._core = core.module
        with own:
            run(core, cheap())
        inner.append(own)
        run(core, main())

    work()
    started = [threading.Thread(target=work) for _ in range(3)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert [paths(own) for own in inner] == [{"cheap": 1, "cheap.leaf": 1}] * 4
    wanted = {**{path: 8 * calls for path, calls in ALL.items()}, "cheap": 4, "cheap.leaf": 4}
    assert paths(threads) == wanted
    threads.stop()
    run(core, main())
    assert paths(threads) == wanted
    assert is_conserved(threads)


def test_threads_that_have_ended_take_no_memory(core, threads):
    """A thread for each request, for hours."""

    def work():
        run(core, main())

    for _ in range(20):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    del thread
    gc.collect()
    work()
    assert len(threads._collectors) <= 2
    assert paths(threads) == {path: 21 * calls for path, calls in ALL.items()}


def test_only_one_profile_of_all_threads(threads):
    other = _profile.ProfileOfThreads()
    with pytest.raises(RuntimeError, match="all threads are measured already"):
        other.start()
    with pytest.raises(RuntimeError, match="it is not measuring"):
        other.stop()


def test_a_profile_is_kept_by_nothing(core, profile):
    """When it has stopped the core and its outer one let it go."""
    with profile() as outer:
        inner = profile()
        with inner:
            run(core, main())
        gone = weakref.ref(inner._collectors[-1]) if hasattr(inner._collectors[-1], "__weakref__") else weakref.ref(inner)
        del inner
        gc.collect()
        assert gone() is None
    assert paths(outer) == ALL
