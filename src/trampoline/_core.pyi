from trampoline import _ctrampoline

core = _ctrampoline
accelerated: bool
reason: str
