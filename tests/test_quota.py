"""The container's CPU quota, read from made-up control groups."""

import pytest

from lrcore import _core
from lrcore._shared.quota import cpus


def groups(tmp_path, own, files):
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cpus(tmp_path / "own", tmp_path / "fs")


V1 = "4:cpu,cpuacct:/a/b\n3:cpuset:/\n"


@pytest.mark.parametrize(
    ("own", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "100000 50000"}, 2),
        (
            V1,
            {
                "cpu,cpuacct/a/b/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/a/b/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            "4:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "1"},
            None,
        ),
        (V1, {"cpu/cpu.cfs_quota_us": "5", "cpu/cpu.cfs_period_us": "1"}, 5),
        ("3:cpuset:/\n", {"cpuset/cpu.max": "1 1"}, None),
        ("0::/gone\n", {}, None),
    ],
)
def test_the_smallest_quota_above_the_process_rounded_up(tmp_path, own, files, wanted):
    assert groups(tmp_path, own, files) == wanted


def test_no_control_groups(tmp_path):
    assert cpus(tmp_path / "nothing", tmp_path) is None


def test_a_limit_bounds_the_default_and_nothing_else():
    before = _core.num_threads()
    try:
        _core.limit_threads(1)
        assert _core.num_threads() == 1
        _core.set_num_threads(3)
        assert _core.num_threads() == 3
    finally:
        _core.set_num_threads(0)
        _core.limit_threads(0)
    assert _core.num_threads() == before
