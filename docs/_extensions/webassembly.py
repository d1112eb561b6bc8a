"""The core and docs/live/surface.c as WebAssembly, for a page that takes steps.

Needs clang and lld with WASI's C library (Debian: ``apt install clang lld wasi-libc
libclang-rt-dev-wasm32``).  Without them the page says that it was built without it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from setup import (  # noqa: E402 # found by the line above
    CFLAGS,
    NO_DEBUG,
    SRC_C,
    Object,
    c_sources,
    kernel_objects,
    side_by_side,
)

SOURCE = ROOT / "docs/live/surface.c"
COMMAND = ["clang", "--target=wasm32-wasi", "-msimd128", *CFLAGS, *NO_DEBUG]
# A reactor has no main(): its functions are called from outside.
LINK = ["-mexec-model=reactor", "-Wl,--gc-sections,--strip-all,-z,stack-size=262144"]


def is_installed(folder: Path) -> bool:
    """Return whether the compiler, the linker and WASI's C library make a module."""
    if not (shutil.which("clang") and shutil.which("wasm-ld")):
        return False
    source = folder / "nothing.c"
    source.write_text("#include <math.h>\n#include <stdlib.h>\n")
    command = [*COMMAND[:3], *LINK, str(source), "-o", str(folder / "nothing.wasm")]
    return subprocess.run([*command, "-lm"], capture_output=True).returncode == 0


def compiled(objects: Path) -> bytes | None:
    """Return the module, or None if the compiler for it is not installed.

    objects : a folder for object files, which are made again only if they are old.
    """
    objects.mkdir(parents=True, exist_ok=True)
    if not is_installed(objects):
        return None
    own = [*COMMAND, f"-I{SRC_C}"]
    parts = [
        *kernel_objects(objects, COMMAND, {"baseline": []}),
        *(Object(objects, path.stem, own, path) for path in c_sources(openmp=False)),
        Object(objects, "surface", [*own, "-Wall", "-Wextra", "-Werror"], SOURCE),
    ]
    module = objects / "surface.wasm"
    side_by_side(Object.compile, [part for part in parts if not part.is_current()])
    paths = [str(part.path) for part in parts]
    subprocess.run([*COMMAND[:3], *LINK, *paths, "-o", str(module), "-lm"], check=True)
    return module.read_bytes()
