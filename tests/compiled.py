"""The core and bits.c as programs, compiled beside the tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from shlex import join
from shutil import which
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from setup import C_SOURCES, CFLAGS, ISAS, kernels  # noqa: E402 # found by the line above

# By name: the compiler, instruction sets, further flags.
PROGRAMS = {
    "native": ("cc", ISAS, []),
    "clang": ("clang", ISAS, []),
    "aarch64": ("aarch64-linux-gnu-gcc", {"baseline": []}, ["-static"]),
}


class Program(NamedTuple):
    """The core and bits.c as a program, once its compiler has ended."""

    folder: Path
    compiling: subprocess.Popen

    def path(self):
        assert self.compiling.wait() == 0, self.compiling.args
        return self.folder / "bits"

    def end(self):
        """End its compiler, too."""
        if self.compiling.poll() is None:
            os.killpg(self.compiling.pid, signal.SIGKILL)
            self.compiling.wait()


def start(folder_of):
    """Start those whose compilers are there; folder_of: from a name to a new folder."""
    programs = {}
    for name, (compiler, *how) in PROGRAMS.items():
        if which(compiler):
            folder = folder_of(name)
            commands = " && ".join(map(join, compilations(folder, compiler, *how)))
            process = subprocess.Popen(
                ["nice", "sh", "-c", commands], start_new_session=True
            )
            programs[name] = Program(folder, process)
    return programs


def compilations(folder, compiler, isas, flags):
    """Yield the commands that make a program."""
    common = [compiler, *CFLAGS, *flags, f"-I{ROOT / 'src_c'}"]
    objects = []
    for name, kernel_flags in kernels(isas).items():
        objects.append(str(folder / f"{name}.o"))
        source = str(ROOT / "src_c/kernels.c")
        yield [*common, *kernel_flags, "-c", source, "-o", objects[-1]]
    sources = [str(ROOT / source) for source in (*C_SOURCES, "tests/bits.c")]
    yield [*common, *sources, *objects, "-o", str(folder / "bits"), "-lm"]
