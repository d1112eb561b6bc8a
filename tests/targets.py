"""The targets that the core is compiled for, besides the one of Python's compiler.

docs/understand/portability.md has them with their commands.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

from compiled import ISAS, NATIVE, ROOT, Toolchain

BASELINE = {"baseline": []}


class Target(NamedTuple):
    """A toolchain, and what its programs are and do."""

    toolchain: Toolchain
    runner: tuple[str, ...] = ()  # runs a program
    threads: bool = True
    flushes: bool = False  # subnormals, unless asked to keep them
    rounds: bool = True  # as the caller wants: it has modes of rounding

    def absent(self):
        """Return the programs that it needs and that are not installed."""
        toolchain = self.toolchain
        needed = [toolchain.compiler[0], *toolchain.linker[:1], *self.runner[:1]]
        return [each for each in needed if not shutil.which(each)]


def run(command, **environment):
    """Return what a program prints: into a file, as Wine's server keeps a pipe open."""
    with tempfile.TemporaryFile("w+") as printed:
        done = subprocess.run(
            command,
            env={**os.environ, "WINEDEBUG": "-all", **environment},
            stdout=printed,
            stderr=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        printed.seek(0)
        text = printed.read()
    assert done.returncode == 0, text
    return text


def emulated(processor, compiler, *flags, **kind):
    """Return the target of a cross compiler of Linux, whose programs qemu runs."""
    compiler = [f"{compiler}-gcc", *flags]
    toolchain = Toolchain(compiler, BASELINE, link_flags=("-static",))
    return Target(toolchain, (f"qemu-{processor}",), **kind)


def system(name):
    """Return this machine by another file of src_c/systems/."""
    toolchain = NATIVE._replace(openmp=False, flags=(f'-DSYSTEM="systems/{name}.inc"',))
    return Target(toolchain, flushes=True, threads=name != "single")


def webassembly(*flags):
    """Return WebAssembly: frames need more than the 64 KiB of stack that it has."""
    compiler = ["clang", "--target=wasm32-wasi", *flags]
    link = ("-Wl,-z,stack-size=1048576",)
    toolchain = Toolchain(compiler, BASELINE, link_flags=link)
    runner = ("node", "--no-warnings", str(ROOT / "tests/wasi.mjs"))
    return Target(toolchain, runner, threads=False, rounds=False)


MINGW = "x86_64-w64-mingw32"


def windows(compiler, isas):
    """Return Windows by MinGW, whose linker finds its libraries, as clang does not."""
    toolchain = Toolchain(
        compiler,
        isas,
        linker=(f"{MINGW}-gcc",),
        link_flags=("-static", "-lsynchronization"),
        suffix=".exe",
    )
    return Target(toolchain, ("wine",), flushes=True)


TARGETS = {
    "clang": Target(Toolchain(["clang"], ISAS), flushes=True),
    "posix": system("posix"),
    "single": system("single"),
    "musl": Target(
        Toolchain(["musl-gcc"], BASELINE, flags=("-DBASELINE_ONLY",)), flushes=True
    ),
    "windows": windows(["clang", f"--target={MINGW}"], ISAS),
    "windows-gcc": windows([f"{MINGW}-gcc"], BASELINE),
    "wasm": webassembly(),
    "wasm-simd128": webassembly("-msimd128"),
    "aarch64": emulated("aarch64", "aarch64-linux-gnu", flushes=True),
    "arm": emulated("arm", "arm-linux-gnueabihf"),
    "riscv64": emulated("riscv64", "riscv64-linux-gnu"),
    "ppc64le": emulated("ppc64le", "powerpc64le-linux-gnu"),
    "s390x": emulated("s390x", "s390x-linux-gnu", "-fexcess-precision=fast"),
}

# What is compiled and linked, but cannot be run here.  -O1 takes half the time of -O3.
ZIG = [sys.executable, "-m", "ziglang", "cc", "-target"]
LINKED = {"macos": Toolchain([*ZIG, "aarch64-macos"], {"baseline": ["-O1"]})}
