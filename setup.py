"""Compile kernels.c once per instruction set and dtype, and an extension of them."""

import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, PlatformError

# Each asks of the processor what its flags let the compiler use: see src_c/portable.h.
ISAS = {"baseline": []}
if platform.machine() in ("x86_64", "AMD64"):
    ISAS["baseline"] = ["-march=x86-64"]
    ISAS["avx2"] = ["-march=x86-64", "-mavx2"]
    ISAS["avx512"] = [
        *("-march=x86-64", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
        "-mprefer-vector-width=512",
    ]

DTYPES = {"f32": 32, "f64": 64}

# The same bits everywhere: no contraction to FMA, no fast-math, whatever CFLAGS says.
# Without -fno-math-errno sqrtf is a call, and gcc 12 vectorises nothing below -O3.
CFLAGS = [
    *("-O3", "-std=c11", "-fno-fast-math", "-ffp-contract=off"),
    *("-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"),
]
# CFLAGS reach the link, where -ffast-math would have the whole process flush to zero.
NO_FAST_MATH = ["-O3", "-fno-fast-math", "-fno-unsafe-math-optimizations"]
C_SOURCES = [f"src_c/{name}.c" for name in ("cpu", "rules", "step", "threads")]
HEADERS = sorted(
    str(path) for path in Path("src_c").rglob("*.*") if path.suffix != ".c"
)

OPENMP_PROBE = """
#include <omp.h>
int main(void) { return omp_pause_resource_all(omp_pause_hard); }
"""


def kernels(isas):
    """By name, the flags of each object that kernels.c is compiled to."""
    return {
        f"{isa}_{dtype}": [*flags, f"-DREAL={bits}", f"-DTABLE=lrc_{isa}_{dtype}"]
        for isa, flags in isas.items()
        for dtype, bits in DTYPES.items()
    }


class BuildExt(build_ext):
    """build_ext, with the kernels' objects, and OpenMP where the compiler has it."""

    def build_extensions(self):
        self.explain_what_is_missing()
        openmp = ["-fopenmp"] if self.has_openmp() else []
        if not openmp:
            print("lrcore: this compiler has no OpenMP; building for a single thread")
        for extension in self.extensions:
            extension.extra_compile_args += openmp
            extension.extra_link_args += [*openmp, *NO_FAST_MATH]
        super().build_extensions()

    def build_extension(self, extension):
        for name, flags in kernels(ISAS).items():
            extension.extra_objects += self.compiler.compile(
                ["src_c/kernels.c"],
                output_dir=os.path.join(self.build_temp, name),
                extra_postargs=[*CFLAGS, *flags],
            )
        super().build_extension(extension)

    def explain_what_is_missing(self):
        compiler = self.compiler.compiler[0]
        if shutil.which(compiler) is None:
            raise PlatformError(
                f"lrcore needs a C compiler, and {compiler!r} was not found. Install "
                "one (Debian, Ubuntu: apt install gcc; Fedora: dnf install gcc), or "
                "name yours in the environment variable CC."
            )
        header = Path(sysconfig.get_path("include"), "Python.h")
        if not header.exists():
            raise PlatformError(
                f"lrcore needs Python's headers, and {header} was not found. Install "
                "them (Debian, Ubuntu: apt install python3-dev; Fedora: dnf install "
                "python3-devel)."
            )

    def has_openmp(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile(
                    [str(source)], folder, extra_postargs=["-fopenmp", "-fPIC"]
                )
                self.compiler.link_shared_object(
                    objects, f"{folder}/probe.so", extra_postargs=["-fopenmp"]
                )
            except CCompilerError:
                return False
        return True


def main():
    if sys.platform != "linux":
        raise PlatformError(f"lrcore is built for Linux so far; this is {sys.platform}")
    core = Extension(
        "lrcore._core",
        ["lrcore/_core.pyx", *C_SOURCES],
        include_dirs=["src_c", np.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
        extra_compile_args=CFLAGS,
        depends=[*HEADERS, "src_c/kernels.c", "setup.py"],
    )
    setup(
        ext_modules=cythonize([core], build_dir="build"),
        cmdclass={"build_ext": BuildExt},
    )


if __name__ == "__main__":
    main()
