"""Frames may be looked at while another thread runs them: CPython 3.11 must not collect garbage in the midst of making their objects."""

import gc
import sys

import pytest

import trampoline
from trampoline import _frames

CRASHES = sys.version_info[:2] == (3, 11) and sys.implementation.name == "cpython"


def root(t, found):
    here = "held"
    found.extend(t.snapshot(locals=True))
    yield here


def test_no_garbage_is_collected_while_a_frame_is_asked_for(core, monkeypatch):
    asked, asks = [], _frames._asked

    def notes(ask, *args):
        asked.append(asks(gc.isenabled))
        return asks(ask, *args)

    monkeypatch.setattr(_frames, "_asked", notes)
    found = []
    with core.Trampoline() as t:
        t.add(root(t, found))
        t.run()
    (shot,) = found
    assert shot.stack[0].locals["here"] == "'held'"
    assert len(asked) >= 3  # the coroutine's frame, that of the thread, the variables
    assert set(asked) == {not CRASHES}
    assert gc.isenabled()


def test_a_program_that_has_disabled_collection_keeps_it_so():
    gc.disable()
    try:
        assert _frames._asked(gc.isenabled) is False
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_collection_goes_on_after_an_error():
    with pytest.raises(ZeroDivisionError):
        _frames._asked(divmod, 1, 0)
    assert gc.isenabled()


def test_a_coroutine_without_a_frame_has_none():
    assert _frames.frame_of(trampoline.sleep(0), "gi_frame") is None
