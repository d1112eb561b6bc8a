"""The container's CPU quota, read from made-up control groups."""

import pytest

from lrcore import _config, _core
from lrcore._shared import omp, quota
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
        # Odd files and lines are no quota, and no error.
        ("", {}, None),
        ("\0\n::\n:::::\n", {}, None),
        ("0::/a\0b\n", {}, None),
        ("0::/../../..\n", {}, None),
        ("0::/" + "a/" * 3000 + "\n", {"cpu.max": "2 1"}, 2),
        *(
            ("0::/\n", {"cpu.max": text}, None)
            for text in ("", "max", "max max", "-1 100000", "0 100000", "1 0", "5")
        ),
        *(
            ("0::/\n", {"cpu.max": text}, None)
            for text in (
                "1.5 1",
                "abc def",
                "1 2 3",
                "\N{SNOWMAN} 1",
                "9" * 5000 + " 1",
            )
        ),
        ("0::/\n", {"cpu.max": f"{10**400} 100000"}, 10**395),
        ("0::/\n", {"cpu.max/a folder": ""}, None),
        ("0::/\n" + V1, {"cpu.max": "5 1", "cpu/cpu.cfs_quota_us": "3"}, 5),
        (
            "0::/\n" + V1,
            {
                "cpu.max": "5 1",
                "cpu/cpu.cfs_quota_us": "3",
                "cpu/cpu.cfs_period_us": "1",
            },
            3,
        ),
    ],
)
def test_the_smallest_quota_above_the_process_rounded_up(tmp_path, own, files, wanted):
    assert groups(tmp_path, own, files) == wanted


def test_no_control_groups(tmp_path):
    assert cpus(tmp_path / "nothing", tmp_path) is None
    assert cpus(tmp_path, tmp_path) is None


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "own").write_bytes(b"0::/\xff\n\xff\xfe:\n")
    (tmp_path / "cpu.max").write_bytes(b"\xff 1")
    assert cpus(tmp_path / "own", tmp_path) is None


def test_a_huge_quota_is_none_to_a_step(monkeypatch):
    monkeypatch.setattr(quota, "cpus", lambda: 10**400)
    for name in (*omp.VARIABLES, "LRCORE_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    _config.heed_environment()
    monkeypatch.undo()
    _config.heed_environment()


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


def test_groups_are_told_apart_by_the_number_of_the_kernel(tmp_path):
    groups(tmp_path, "0::/a/b\n", {"a/cpu.max": "3 1", "a/b/cpu.max": "2 1"})
    found = quota.limits(tmp_path / "own", tmp_path / "fs")
    folders = [tmp_path / "fs/a/b", tmp_path / "fs/a"]
    assert found == [
        quota.Limit(str(folder.stat().st_ino), n)
        for folder, n in zip(folders, (2, 3), strict=True)
    ]
