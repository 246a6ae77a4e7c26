"""Say what is in wheels, and fail if it is not what the project promises. `python .ci/check_wheels.py dist/*.whl`, on any system.

A wheel has the package and its metadata and nothing else. One for a platform has one extension, of at most 400 KB, without symbols or debug
information where that can be told (ELF), and on Linux runs on manylinux_2_17 or musllinux_1_2; one for any has none.
"""

from __future__ import annotations

import re
import struct
import sys
import zipfile

MOST_BYTES = 400_000
OLDEST = {"manylinux": (2, 17), "musllinux": (1, 2)}


def sections(elf: bytes) -> list[str]:
    """Return the names of the sections of a 64-bit little-endian ELF file."""
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    headers = [struct.unpack_from("<II16xQQ", elf, table + size * number) for number in range(count)]
    start = headers[names][2]
    return [elf[start + header[0] : elf.index(b"\0", start + header[0])].decode() for header in headers]


def faults(path: str) -> tuple[str, list[str]]:
    """Return a line about a wheel, and what is wrong with it."""
    wrong = []
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        tags = re.findall(r"^Tag: (\S+)$", next(wheel.read(name).decode() for name in names if name.endswith(".dist-info/WHEEL")), re.M)
        built = {name: wheel.read(name) for name in names if name.endswith((".so", ".pyd"))}
    platforms = {tag.split("-")[2] for tag in tags}
    wrong += [f"has {name}" for name in names if not re.match(r"trampoline/|ctrampoline-[^/]+\.dist-info/", name)]
    wrong += [f"has {name}" for name in names if name.endswith((".c", ".pyx", ".pxi", ".o", ".pyc"))]
    wrong += [f"lacks {name}" for name in ("trampoline/py.typed", "trampoline/_ctrampoline.pyi") if name not in names]
    if not any(name.endswith("/LICENSE") for name in names):
        wrong.append("lacks the licence")
    if len(built) != (0 if platforms == {"any"} else 1):
        wrong.append(f"has {len(built)} extensions, for {', '.join(sorted(platforms))}")
    for platform in platforms:
        if platform.startswith("linux"):
            wrong.append(f"is for {platform} only: repair it with auditwheel")
    for kind, oldest in OLDEST.items():
        known = [tuple(map(int, found)) for found in re.findall(rf"{kind}_(\d+)_(\d+)", " ".join(platforms))]
        if known and min(known) > oldest:
            wrong.append(f"needs {kind} {min(known)}, not {oldest}")
    size = 0
    for name, content in built.items():
        size = len(content)
        if size > MOST_BYTES:
            wrong.append(f"{name} has {size:,} bytes")
        if content[:6] == b"\x7fELF\x02\x01":
            wrong += [f"{name} has {section}" for section in sections(content) if section.startswith((".debug", ".symtab"))]
    return f"{path.rpartition('/')[2]}: {f'extension of {size:,} bytes' if built else 'no extension'}", wrong


if __name__ == "__main__":
    failed = len(sys.argv) < 2
    for path in sys.argv[1:]:
        line, wrong = faults(path)
        print("\n  ".join([line, *wrong]))
        failed = failed or bool(wrong)
    sys.exit(failed)
