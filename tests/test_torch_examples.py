"""The examples of lrcore.torch run; 200 steps are those of LRCORE_TORCH_STEPS=200."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch: make test-torch")

EXAMPLES = Path(__file__).parents[1] / "examples" / "torch_training"
STEPS = os.environ.get("LRCORE_TORCH_STEPS", "20")


def run(name, folder, *arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def distances(folder, dtype):
    out = run("transformer.py", folder, "--dtype", dtype, "--steps", STEPS)
    return [float(far) for far in re.findall(r"at most (\S+) from the loop's", out)]


def test_losses_of_a_transformer_are_torchs_in_float64(tmp_path):
    loop, _, ours = distances(tmp_path, "float64")
    assert loop == 0
    assert ours <= 1e-8


def test_losses_of_a_transformer_are_as_near_as_torchs_fused_in_float32(tmp_path):
    _, fused, ours = distances(tmp_path, "float32")
    rounding = 2.0**-20  # of a loss of 3, some steps on: 4 units in the last place
    assert ours <= max(fused, rounding)


def test_the_trainer_steps_by_lrcore(tmp_path):
    for needed in ("transformers", "accelerate"):
        if not find_spec(needed):
            pytest.skip(f"needs {needed}: make test-torch")
    out = run("trainer.py", tmp_path, "--steps", "6")
    first, *_, last = map(float, re.search(r"^losses (.*)", out, re.M)[1].split())
    assert last < first
    assert "after 6 steps" in out
