"""A clock that jumps. Part of `_ctrampoline.pyx`; the explanations are in `_pytimers.py`."""


cdef class VirtualClock:
    """A clock that stands still while anything is ready, and then jumps to the next deadline: `Trampoline(clock=VirtualClock())`.

    It shows seconds, from `start` on. While a file is waited for it jumps when nothing was ready for `patience` real seconds. Any clock
    that has a `jump(when)` is one. TypeError and ValueError for what are no seconds.
    """

    def __init__(self, *given, **keywords):
        if len(given) > 1 or not keywords.keys() <= ({"patience"} if given else {"start", "patience"}):
            raise wrong_start()
        start, patience = given[0] if given else keywords.get("start", 0.0), keywords.get("patience", 0.0)
        self.shown, self.quiet = seconds_of("VirtualClock()", start), seconds_of("the patience of VirtualClock()", patience)

    def __call__(self):
        """Return `now`."""
        return self.shown

    @property
    def now(self):
        """What it shows, in seconds."""
        return self.shown

    @property
    def patience(self):
        """How long everything must be quiet before it jumps while a file is waited for, in real seconds."""
        return self.quiet

    def jump(self, when):
        """Set it to `when`, if that is later. The run loop calls it."""
        cdef double later = when
        if later > self.shown:
            self.shown = later

    def __repr__(self):
        return f"<VirtualClock at {self.shown!r}>"
