"""The examples in C++ and Cython, and those that call functions by address, run."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest
from compiled import NATIVE, ROOT, SRC_C, paths_of

EXAMPLES = ROOT / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def run(command, **more):
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=300, **more
    ).stdout


# --- C++ ------------------------------------------------------------------------------


def trained(name, folder, flags):
    """Build an example by its Makefile with the core's objects; return its output."""
    shutil.copytree(EXAMPLES / name, folder / name)
    libraries = [*paths_of(NATIVE.core()), "-pthread"]
    libraries += ["-fopenmp"] if NATIVE.openmp else []
    found = {
        "LRCORE_CFLAGS": f"-I{SRC_C}",
        "LRCORE_LIBS": " ".join(libraries),
        flags: "-O1 -ffp-contract=off -Wall -Wextra -Werror",
    }
    variables = [f"{key}={value}" for key, value in found.items()]
    return run(["make", "-s", "-C", folder / name, "run", *variables])


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler is installed")
def test_cplusplus_prints_the_lines_of_c(tmp_path):
    lines = trained("embed_cpp", tmp_path, "CXXFLAGS")
    assert lines == trained("embed_c", tmp_path, "CFLAGS")
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", lines)]
    assert losses[-1] < 1e-4 < 1e-1 < losses[0]


def test_the_header_has_40_lines():
    text = (EXAMPLES / "embed_cpp/lrcore.hpp").read_text()
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 88


# --- by address -----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["ctypes", "cffi", "numba"])
def test_calls_by_address(way):
    if way != "ctypes" and importlib.util.find_spec(way) is None:
        pytest.skip(f"{way} is not installed")
    command = [sys.executable, EXAMPLES / "cffi_numba/steps.py", way]
    out = run(command, env=ENVIRONMENT)
    error, taken = re.fullmatch(
        r"largest error (\S+)\n(\d+) ns a sample\n", out
    ).groups()
    # Weights are up to 1.3, and begin as 0.  At this rate Adam stays within it of them.
    assert float(error) < 0.03
    assert int(taken) > 0


# --- Cython ---------------------------------------------------------------------------

CHECKS = """
import lrcore, loop, numpy as np

x, y = np.ones((50, 2), "float32"), np.ones(50, "float32")
first = loop.learn(x, y)
opt_p = np.zeros(3, "float32")
opt = lrcore.Adam(opt_p, lr=3e-3)
for k in range(50):
    wrong = opt_p[2] - y[k] + opt_p[0] + opt_p[1]
    opt.step(np.full(3, wrong, "float32"))
assert first == (opt_p[:2].tolist(), opt_p[2]), (first, opt_p)

for wrong in ("adma", "rprop"):
    try:
        loop.learn(x, y, rule=wrong)
    except ValueError as error:
        print(error)
"""


@pytest.mark.compilers
def test_a_loop_in_cython(tmp_path):
    """Its steps are those of lrcore's optimizers, and its errors name the argument."""
    folder = tmp_path / "cython_loop"
    shutil.copytree(EXAMPLES / "cython_loop", folder)
    # No PYTHONPATH: Cython finds lrcore where it is installed, editable or not.
    environment = {**os.environ, "CFLAGS": "-O1 -ffp-contract=off"}
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    run(build, cwd=folder, env=environment)
    out = run([sys.executable, "main.py"], cwd=folder, env=ENVIRONMENT)
    error, bias = re.match(
        r"largest error of a weight (\S+), bias (\S+)\n", out
    ).groups()
    assert float(error) < 0.03
    assert float(bias) == pytest.approx(0.5, abs=0.03)
    assert re.search(r"^\d+ ns a sample, the least of 5 runs$", out, re.MULTILINE)
    unknown, by_coefs = run(
        [sys.executable, "-c", CHECKS], cwd=folder, env=ENVIRONMENT
    ).splitlines()
    assert "rule" in unknown
    assert "lr" in by_coefs
