"""A system without /proc, and odd control groups, in a mount namespace of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNSHARE = ["unshare", "--map-root-user", "--mount", "sh", "-euc"]
HIDE = "mount -t tmpfs none /proc"


def permitted():
    """Whether this user may have a mount namespace, as a container may forbid."""
    try:
        return subprocess.run([*UNSHARE, HIDE], capture_output=True).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    not permitted(), reason="the system permits no mount namespace (unshare)"
)


def run(prepare, *argv):
    """Run Python in a namespace, after a script that prepares it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "LRCORE_"))}
    done = subprocess.run(
        [*UNSHARE, f'{prepare}\nexec "$@"', "sh", sys.executable, *argv],
        env={"PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_training_without_proc():
    """With checkpoints, pictures, a range test, and what is said of the system."""
    path = str(ROOT / "tests" / "trained.py")
    code = f"""
        import os, runpy
        assert os.listdir("/proc") == []
        runpy.run_path({path!r}, run_name="__main__")
    """
    assert run(HIDE, "-c", textwrap.dedent(code))[-1] == "0.00512784"


STEP = textwrap.dedent(
    """
    import numpy as np, lrcore
    p = np.ones(300_000, np.float32)
    lrcore.SGD(p, lr=0.5).step(np.ones_like(p))
    lrcore.show_config("dict")
    print((p == 0.5).all(), lrcore.get_num_threads())
    """
)
GROUPS = f"{HIDE}; mkdir /proc/self; mount -t tmpfs none /sys/fs/cgroup; "
RANDOM = "head -c 100000 /dev/urandom"
SYSTEMS = {
    "a quota": (
        "echo 0::/a > /proc/self/cgroup; cd /sys/fs/cgroup; mkdir a; "
        "echo 50000 100000 > cpu.max",
        "1",
    ),
    "random bytes": (
        f"for f in cgroup maps stat statm; do {RANDOM} > /proc/self/$f; done; "
        f"{RANDOM} > /proc/cpuinfo; {RANDOM} > /sys/fs/cgroup/cpu.max",
        None,
    ),
    "folders": (
        "mkdir /proc/self/cgroup /proc/self/maps /proc/cpuinfo /sys/fs/cgroup/cpu.max",
        None,
    ),
    "a link to itself": (
        "echo 0::/ > /proc/self/cgroup; ln -s cpu.max /sys/fs/cgroup/cpu.max",
        None,
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_steps_with_odd_files_of_the_system(name):
    """They step, by the threads of a quota or, without one, of all processors."""
    prepare, threads = SYSTEMS[name]
    wanted = f"True {threads or len(os.sched_getaffinity(0))}"
    assert run(GROUPS + prepare, "-c", STEP) == [wanted]
