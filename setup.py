"""The extension and its three switches; everything else is in pyproject.toml.

TRAMPOLINE_NO_EXTENSIONS=1        build without it: a wheel for any Python
TRAMPOLINE_REQUIRE_EXTENSIONS=1   a failed compilation is an error (else: no extension, the core in Python serves)
TRAMPOLINE_TRACE=1                line tracing for coverage of the .pyx; slow
"""

import os
import sys
from glob import glob

from setuptools import Extension, setup


def switch(name):
    return os.environ.get(name, "") not in ("", "0")


require = switch("TRAMPOLINE_REQUIRE_EXTENSIONS")
trace = switch("TRAMPOLINE_TRACE")
extension = Extension(
    "trampoline._ctrampoline",
    ["src/_ctrampoline.pyx"],
    depends=["src/trampoline/_ctrampoline.pxd", *sorted(glob("src/*.p*x*") + glob("src/*.h"))],
    optional=not require,
    define_macros=[("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if trace else [],
    extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-g0"],
)
extension.cython_include_dirs = ["src"]
extension.cython_directives = {"linetrace": trace}
wanted = sys.implementation.name == "cpython" and (require or not switch("TRAMPOLINE_NO_EXTENSIONS"))
setup(ext_modules=[extension] if wanted else [])
