"""A part of the suite under AddressSanitizer and UndefinedBehaviorSanitizer.

They follow all of the core, with its baseline kernels, and the binding.  At the end,
steps by OpenMP under ThreadSanitizer; tests/test_threads_c.py has those by the pool.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiled import NATIVE, ROOT
from targets import TARGETS

pytestmark = pytest.mark.compilers

FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")

FILES = [
    "test_absent", "test_accumulate", "test_averages", "test_binding", "test_buffers",
    "test_c_api", "test_c_api_memory", "test_c_api_overlaps", "test_c_api_wrong",
    "test_clip", "test_commit", "test_factored", "test_liars", "test_middle",
    "test_state_values", "test_step_one", "test_step_one_which", "test_step_one_wrong",
]  # fmt: skip
"""Those that look up addresses, step odd sizes, or call C with wrong arguments.

None forks or starts processes, whose reports would be lost.
"""

SHARED = ["conftest.py", "pyproject.toml", "tests"]
"""What a folder needs, beside the package, for its tests to run there."""

BROKEN = """
    import numpy as np
    from c_plans import Plan
    p, g = np.zeros(1000), np.zeros(1000)
    plan = Plan()
    plan.add_tensor(plan.group("sgd"), 1, {n}, p, g, None, 0)
    print("taken" if plan.step() == 1 else plan.text)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the sanitized package, and with these tests."""
    found = tmp_path_factory.mktemp("sanitized")
    NATIVE.sanitized(*FLAGS).package(found)
    for name in SHARED:
        (found / name).symlink_to(ROOT / name)
    return found


def python(folder, *arguments):
    """Run Python with the sanitized package; each array has memory of its own."""
    libraries = [
        subprocess.run(
            [NATIVE.compiler[0], f"-print-file-name=lib{name}.so"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for name in ("asan", "ubsan")
    ]
    environment = {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter keeps memory to its end
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "LRCORE_ISA": "baseline",
        "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "tests")]),
    }
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_an_access_out_of_bounds_is_seen(folder):
    """Of a kernel, by a plan that is told a wrong length."""
    right, wrong = (python(folder, "-c", code(n)) for n in (1000, 1001))
    assert right.stdout == "taken\n", right.stderr
    assert wrong.returncode != 0
    assert "heap-buffer-overflow" in wrong.stderr


def code(n):
    return "\n".join(line.strip() for line in BROKEN.format(n=n).splitlines())


def test_none_is_seen_in_a_part_of_the_suite(folder):
    paths = [f"tests/{name}.py" for name in FILES]
    done = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


ARCHER = next(Path("/usr/lib").glob("llvm-*/lib/libarcher.so"), None)
"""What tells ThreadSanitizer how LLVM's OpenMP lets threads wait for each other."""

RACES = ("-fsanitize=thread", "-g")


@pytest.mark.skipif(ARCHER is None, reason="libarcher.so is missing: libomp-dev has it")
def test_steps_by_openmp_do_not_race(tmp_path):
    """In all of the core but its kernels; without Archer, each region seems a race.

    Not by many threads or at an exit, where ThreadSanitizer or LLVM's runtime fails.
    """
    clang = TARGETS["clang"].toolchain
    program = clang._replace(openmp=True, flags=RACES, link_flags=RACES).build(
        "threads", tmp_path
    )

    def taken(way, **tool):
        environment = {
            "LRCORE_THREADING": "openmp",
            "TSAN_OPTIONS": "ignore_noninstrumented_modules=1",  # LLVM's runtime
        }
        return subprocess.run(
            ["setarch", "-R", program, way],
            env={**os.environ, **environment, **tool},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    for way in ("together", "numbers", "alternately"):
        done = taken(way, OMP_TOOL_LIBRARIES=str(ARCHER))
        assert (done.returncode, done.stdout, done.stderr) == (0, "same\n", "")
    assert "WARNING: ThreadSanitizer" in taken("together", OMP_TOOL="disabled").stderr
