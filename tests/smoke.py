"""Try a wheel that is installed, where there are no sources: python tests/smoke.py.

It steps in several threads, runs commands, and checks that lrcore has brought no OpenMP
runtime into the process.
"""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np

import lrcore


def command(*arguments: str) -> str:
    lrcore_command = Path(sysconfig.get_path("scripts"), "lrcore")
    ran = subprocess.run([lrcore_command, *arguments], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def steps() -> None:
    p = {"w": np.ones((500, 1000), np.float32), "b": np.ones(7)}
    alone = {name: array.copy() for name, array in p.items()}
    grads = {name: np.sin(np.arange(a.size), dtype=a.dtype).reshape(a.shape)
             for name, a in p.items()}  # fmt: skip
    for params, num_threads in (p, 2), (alone, 1):
        opt = lrcore.AdamW(params, clip_norm=1.0, num_threads=num_threads)
        for _ in range(3):
            opt.step(grads)
    assert all(np.array_equal(p[name], alone[name]) for name in p)


def main() -> None:
    assert "site-packages" in lrcore.__file__, lrcore.__file__
    steps()
    config = lrcore.show_config("dict")
    assert config["threading"] == "pool"
    assert config["openmp_libraries"] == [], config["openmp_libraries"]
    refused = subprocess.run(
        [sys.executable, "-c", "import lrcore"],
        env={**os.environ, "LRCORE_THREADING": "openmp"},
        capture_output=True,
        text=True,
    )
    assert "--no-binary lrcore" in refused.stderr, refused.stderr
    assert lrcore.get_isa() in command("info")
    read = re.search(r"reads ([\d.]+)% of the held-out digits", command("demo"))
    assert read
    assert float(read[1]) > 90
    print(f"works: {sys.version.split()[0]}, {config['isa']}, {config['build']}")


if __name__ == "__main__":
    main()
