"""Studies by several processes on one storage: a PostgreSQL server, a journal file.

No trial that finished is lost or run twice, whoever is killed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from urllib.parse import quote

import optuna
import pytest

import lrcore
from lrcore.search._plan import Plan
from lrcore.search._queue import fill
from lrcore.search._storage import quiet
from lrcore.search._study import open_study

pytestmark = pytest.mark.trials

SPACE = {"lr": lrcore.space.lr(1e-3, 10.0), "momentum": lrcore.space.momentum()}
GRID = {"lr": SPACE["lr"], "x": [1, 2, 3]}
TRIALS = 12  # the grid's too, of 4 learning rates

PASSWORD = "s3c@/r3t"

FOUND = glob("/usr/lib/postgresql/*/bin/initdb")  # where Debian has it
INITDB = shutil.which("initdb") or max(FOUND, default="")


@contextmanager
def postgresql():
    """The URL of a new server, which listens on a socket in a temporary folder."""
    become = {}
    if os.geteuid() == 0:  # it refuses to run as root
        become = {"user": "postgres", "group": "postgres", "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if become:
            shutil.chown(folder, "postgres")

        def run(program, *arguments):
            path = Path(INITDB).with_name(program)
            subprocess.run(
                [path, "-D", f"{folder}/data", *arguments],
                check=True, stdout=subprocess.DEVNULL, cwd="/", **become,
            )  # fmt: skip

        (Path(folder) / "password").write_text(PASSWORD)
        run("initdb", "-A", "scram-sha-256", f"--pwfile={folder}/password", "-U",
            "lrcore", "-E", "UTF8", "--no-locale", "-N")  # fmt: skip
        options = f"-k {folder} -F -c listen_addresses= -c autovacuum=off"
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            login = f"lrcore:{quote(PASSWORD, safe='')}"
            yield f"postgresql+psycopg2://{login}@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


@pytest.fixture
def storage(tmp_path):
    """A server where PostgreSQL is installed; else a journal, as in the other tests."""
    if INITDB:
        with postgresql() as url:
            yield url
    else:
        yield str(tmp_path / "journal")


@dataclass(frozen=True)
class Bowl:
    """A loss of the params that writes down which process begins and ends what.

    One process kills itself in the middle of its second trial.
    """

    folder: Path
    processes: int

    def __call__(self, params):
        with open(self.folder / f"{os.getpid()}.log", "a") as log:
            log.write(f"begin {params}\n")
            log.flush()
            # No process runs all of them before the others are there.
            patience = time.monotonic() + 60
            while len(logs(self.folder)) < self.processes:
                assert time.monotonic() < patience
                time.sleep(0.01)
            second = "end" in (self.folder / f"{os.getpid()}.log").read_text()
            for step in range(3):
                time.sleep(0.01)
                yield (params["lr"] - 1) ** 2 + 1 / (step + 1)
                if second and step == 1 and self.first("killed"):
                    os.kill(os.getpid(), signal.SIGKILL)
            log.write(f"end {params}\n")

    def first(self, name):
        try:
            with open(self.folder / name, "x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return False
        return True


def logs(folder):
    return list(folder.glob("*.log"))


def lines(folder, word):
    """What was begun or ended, and how often."""
    every = [line for log in logs(folder) for line in log.read_text().splitlines()]
    return Counter(line.partition(" ")[2] for line in every if line.startswith(word))


def check_each_once(found, folder):
    """Each finished trial ran to its end once, and is in the study."""
    assert len(found.trials) == TRIALS
    assert len({trial.number for trial in found.trials}) == TRIALS
    assert all(trial.state == "finished" for trial in found.trials)
    assert lines(folder, "end") == Counter(str(t.params) for t in found.trials)
    slots = Counter(
        t.user_attrs["slot"] for t in found.study.trials if t.state.name == "COMPLETE"
    )
    assert slots == Counter(range(TRIALS))


def test_three_workers_of_which_one_is_killed(storage, tmp_path, capfd, caplog):
    found = lrcore.tune(
        Bowl(tmp_path, 3), SPACE, "random", TRIALS, n_jobs=3, storage=storage,
        name="workers",
    )  # fmt: skip
    check_each_once(found, tmp_path)
    pids = {int(log.stem) for log in logs(tmp_path)}
    assert len(pids) in (3, 4)  # one more where the killed was replaced in time
    assert os.getpid() not in pids
    killed = int((tmp_path / "killed").read_text())

    # The trial that the killed one left is failed, and was tried anew.
    (left,) = [
        trial for trial in found.study.trials
        if trial.state.name == "FAIL" and trial.user_attrs["worker"][1] == killed
    ]  # fmt: skip
    (again,) = [params for params, n in lines(tmp_path, "begin").items() if n == 2]
    (tried,) = [trial for trial in found.trials if str(trial.params) == again]
    assert tried.number > left.number
    assert found.study.trials[tried.number].params == left.params

    # Continued by its name it has nothing to do; asked for more, it does the rest.
    same = lrcore.tune(print, SPACE, "random", TRIALS, storage=storage, name="workers")
    assert same.trials == found.trials
    more = lrcore.tune(
        lambda params: 0.0, SPACE, "tpe", TRIALS + 2, storage=storage, name="workers"
    )
    assert len(more.trials) == TRIALS + 2
    assert [t for t in more.trials if t.value > 0] == list(found.trials)

    # The password has been written nowhere, by none of these processes.
    told = [
        repr(found),
        str(found),
        found._repr_html_(),
        caplog.text,
        *capfd.readouterr(),
    ]
    if INITDB:
        with pytest.raises(ValueError, match="OperationalError") as raised:
            lrcore.tune(
                print, SPACE, storage=storage.replace("s3c", "wrong"), name="workers"
            )
        told += traceback.format_exception(raised.value)
    told += [path.read_text() for path in tmp_path.iterdir() if path.is_file()]
    assert not [text for text in told if "s3c" in text or "r3t" in text]


MACHINE = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
import lrcore
from test_search_storage import *
lrcore.tune(Bowl(Path(sys.argv[2]), 3), GRID, "grid", points=4, storage=sys.argv[3],
            name="machines")
"""


def test_three_machines_of_which_one_is_killed(tmp_path):
    """Of a grid each point is run once, though all three queue all points."""
    storage = tmp_path / "journal"
    command = [sys.executable, "-c", MACHINE, Path(__file__).parent, tmp_path, storage]
    machines = [subprocess.Popen(list(map(str, command))) for _ in range(3)]
    codes = sorted(machine.wait(60) for machine in machines)
    assert codes == [-signal.SIGKILL, 0, 0]
    found = lrcore.tune(
        Bowl(tmp_path, 3), GRID, "grid", points=4, storage=storage, name="machines"
    )
    check_each_once(found, tmp_path)


@dataclass(frozen=True)
class Fails:
    folder: Path

    def __call__(self, params):
        if params["x"] == 2 and not (self.folder / "mended").exists():
            raise OSError("no such file")
        return params["x"]


def test_what_raised_is_tried_again_when_continued(tmp_path):
    def search(**more):
        return lrcore.tune(
            Fails(tmp_path), {"x": [0, 1, 2, 3]}, "grid", storage=tmp_path / "journal",
            name="study", **more,
        )  # fmt: skip

    with pytest.raises(OSError, match="no such file") as raised:
        search(n_jobs=2)
    advice, worker = raised.value.__notes__[:2]
    assert "catch=(OSError,)" in advice
    assert "in __call__" in worker  # its traceback
    with pytest.raises(OSError, match="no such file"):
        search()
    (tmp_path / "mended").touch()
    assert sorted(t.params["x"] for t in search().trials) == [0, 1, 2, 3]


def test_a_trial_of_another_machine_is_left_alone_while_its_heart_beats(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        storage = optuna.storages.RDBStorage(url, heartbeat_interval=1, grace_period=2)

    def search():
        return lrcore.tune(
            lambda params: params["x"], {"x": [1, 2]}, "grid", storage=storage, name="s"
        )

    # A machine's first trial, by hand.
    plan = Plan(
        lambda params: 0.0, lrcore.space.check({"x": [1, 2]}), "grid", False,
        [{"x": 1}, {"x": 2}], "s", None, 1, None, 3, float("inf"),
    )  # fmt: skip
    with quiet():
        study = open_study(plan, storage)
        fill(study, plan)
        with pytest.warns(UserWarning, match="supposed to be used with Study.optimize"):
            theirs = study.ask()
    theirs.set_user_attr("worker", ["elsewhere", 1, "1"])
    storage.record_heartbeat(theirs._trial_id)

    assert [t.params for t in search().trials] == [{"x": 2}]
    time.sleep(3.1)  # seconds of whole numbers: more than 2 after the last beat
    assert [t.params for t in search().trials] == [{"x": 1}, {"x": 2}]
