"""Steps in a file of comma-separated values, and files that are gone on with."""

import csv

import numpy as np
import pytest
from logged import Kept, run

from lrcore import Monitor
from lrcore.monitor import Finding
from lrcore.trackers import CSV
from lrcore.trackers._tracker import NAMES


def rows(path):
    with open(path, newline="") as file:
        return [*csv.DictReader(file)]


def test_a_file_has_a_line_for_each_step(tmp_path):
    path, kept = tmp_path / "run.csv", Kept()
    with CSV(path) as log:

        def both(*passed):
            kept(*passed)
            log(*passed)
            assert len(rows(path)) == len(kept)  # the line is there at once

        run(100, lr=0.3, log=both, telemetry=True)
    found = rows(path)
    for (step, values, findings), row in zip(kept, found, strict=True):
        assert int(row["step"]) == step
        numbers = {name: float(row[name]) for name in NAMES if row[name]}
        np.testing.assert_equal(numbers, values)  # to the bit
        assert row["findings"] == "; ".join(map(str, findings))
    assert any(row["findings"] for row in found)
    CSV(path).close()
    assert rows(path) == []


def test_a_resumed_run_takes_its_steps_again(tmp_path):
    path = tmp_path / "run.csv"
    with CSV(path, append=True) as log:  # there is none yet
        monitor = Monitor(log=log)
        for k in range(1, 6):
            monitor.update(float(k))
            if k == 3:
                saved = monitor.state_dict()
    with open(path, "a") as file:
        file.write("6,6")  # a line that was torn
    before = rows(path)
    for loss in (40.0, 50.0):
        with CSV(path, append=True) as log:
            again = Monitor(log=log)
            again.load_state_dict(saved)
            if loss == 50.0:
                again.validation(0.5)
            again.update(loss)
    after = rows(path)
    assert after[:3] == before[:3]
    assert [(row["step"], row["loss"], row["validation"]) for row in after[3:]] == [
        ("3", "", "0.5"), ("4", "50.0", "")
    ]  # fmt: skip


def test_a_file_that_was_torn_in_its_header_goes_on(tmp_path):
    path = tmp_path / "run.csv"
    CSV(path).close()
    path.write_bytes(path.read_bytes().rstrip())
    with CSV(path, append=True) as log:
        log(1, {"loss": 1.0}, [])
    assert [row["step"] for row in rows(path)] == ["1"]


def test_a_line_that_was_torn_anywhere_is_removed(tmp_path):
    path = tmp_path / "run.csv"
    with CSV(path) as log:
        log(1, {"loss": 1.0}, [])
        log(2, {"loss": 2.0}, [])
    whole = path.read_bytes()
    line = '3,3.0,,,,,,,,"torn, in \N{MULTIPLICATION SIGN}\n2""'.encode()
    for length in range(len(line) + 1):
        path.write_bytes(whole + line[:length])
        with CSV(path, append=True) as log:
            log(5, {"loss": 5.0}, [])
        assert [row["step"] for row in rows(path)] == ["1", "2", "5"]
        assert [row["findings"] for row in rows(path)] == ["", "", ""]


def test_a_finding_of_two_lines_is_kept_when_a_file_goes_on(tmp_path):
    path = tmp_path / "run.csv"
    found = Finding("odd", "info", 1, 1, 'two\nlines, "quoted"', "", "")
    with CSV(path) as log:
        log(1, {"loss": 1.0}, [found])
    with CSV(path, append=True) as log:
        log(2, {"loss": 1.0}, [])
    assert [row["findings"] for row in rows(path)] == [str(found), ""]


def test_a_validation_loss_that_is_recorded_again_has_one_line(tmp_path):
    path = tmp_path / "run.csv"
    with CSV(path) as log:
        monitor = Monitor(log=log)
        monitor.update(1.0)
        monitor.update(2.0, 0.25)
        saved = monitor.state_dict()
        monitor.validation(0.75)
        monitor.update(3.0)
    for loss in (0.5, 0.625):
        with CSV(path, append=True) as log:
            again = Monitor(log=log)
            again.load_state_dict(saved)
            again.validation(loss)
        found = [(row["step"], row["loss"], row["validation"]) for row in rows(path)]
        assert found == [("1", "1.0", ""), ("2", "2.0", "0.25"), ("2", "", str(loss))]


def test_a_path_means_the_same_file_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CSV("run.csv").close()
    log = CSV("run.csv", append=True)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir("other")
    with log:
        log(1, {"loss": 1.0}, [])
    assert log.path == str(tmp_path / "run.csv")
    assert [row["step"] for row in rows(tmp_path / "run.csv")] == ["1"]


def test_other_files_are_not_appended_to(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"^path: expected a file of .* columns a,b$"):
        CSV(path, append=True)
    assert path.read_text() == "a,b\n1,2\n"
    with pytest.raises(FileNotFoundError):
        CSV(tmp_path / "none" / "run.csv")
    with pytest.raises(TypeError, match=r"^path: expected a str or a path, found int"):
        CSV(3)
    with pytest.raises(TypeError, match=r"^append: expected True or False"):
        CSV(path, append="yes")
