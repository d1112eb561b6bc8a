"""Trackers beside the real packages: what they have written is read back."""

import json
import math
import os
import struct

import numpy as np
import pytest

import lrcore
from lrcore import Monitor
from lrcore.trackers import MLflow, TensorBoard, WandB

STEPS = 70


def run(log):
    """Descend at a rate that diverges, watched; return what was passed to the log."""
    passed = []

    def both(*step):
        passed.append(step)
        log(*step)

    w, curvature = np.ones(2), np.array([1.0, 7.0])
    opt = lrcore.SGD(w, lr=0.32, telemetry=True)
    monitor = Monitor(opt, log=both)
    for k in range(STEPS):
        loss = float(0.5 * (curvature * w**2).sum())
        opt.step(curvature * w)
        monitor.update(loss if k < STEPS - 1 else math.nan)
    monitor.validation(2.5)
    assert monitor.findings
    return passed


def wanted(passed, of=float):
    """Return the steps and values of each name, as a tracker should have them."""
    found = {}
    for step, values, _ in passed:
        for name, value in values.items():
            found.setdefault(name, []).append((step, of(value)))
    return found


def texts(passed):
    return [(step, str(f)) for step, _, findings in passed for f in findings]


# --- TensorBoard ----------------------------------------------------------------------


def events(folder):
    """Read the event files of a folder: the records of TFRecord, by its protocol."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.iterdir()):
        data, at = path.read_bytes(), 0
        while at < len(data):  # length, its checksum, the record, its checksum
            (length,) = struct.unpack_from("<Q", data, at)
            yield Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4


def summaries(folder):
    """Return the scalars by tag, with their steps, and the texts."""
    scalars, said = {}, []
    for event in events(folder):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                tag = scalars.setdefault(value.tag, [])
                tag.append((event.step, value.simple_value))
            else:
                assert value.metadata.plugin_data.plugin_name == "text"
                text = value.tensor.string_val[0].decode()
                said.append((value.tag, event.step, text))
    return scalars, said


@pytest.mark.parametrize("given", ["a folder", "a writer"])
def test_tensorboard(tmp_path, given):
    tensorboardx = pytest.importorskip("tensorboardX", reason="make test-packages")
    folder = tmp_path / "run"
    if given == "a folder":
        with TensorBoard(folder, prefix="x/") as log:
            passed = run(log)
    else:
        with tensorboardx.SummaryWriter(str(folder)) as writer:
            with TensorBoard(writer, prefix="x/") as log:
                passed = run(log)
            writer.add_scalar("own", 1.0, 1)  # it is open still
    scalars, said = summaries(folder)
    scalars.pop("own", None)
    single = wanted(passed, lambda x: float(np.float32(x)))
    np.testing.assert_equal(scalars, {f"x/{name}": v for name, v in single.items()})
    assert [(step, text) for _, step, text in said] == texts(passed)
    assert all(tag.startswith("x/findings") for tag, _, _ in said)


# --- MLflow ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory):
    """MLflow on local files; a database takes seconds to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        mlflow = pytest.importorskip("mlflow", reason="make test-packages")
        mlflow.set_tracking_uri(tmp_path_factory.mktemp("mlflow").as_uri())
        mlflow.set_experiment("trackers")
        yield mlflow


@pytest.mark.parametrize("given", ["the active run", "a run", "its id"])
def test_mlflow(mlflow, given):
    with mlflow.start_run() as active:
        run_id = active.info.run_id
        if given == "the active run":
            log = MLflow()
        else:
            log = MLflow(active if given == "a run" else run_id)
    with log:
        passed = run(log)
    client = mlflow.MlflowClient()
    found = {
        f"lrcore/{name}": sorted(
            (m.step, m.value)
            for m in client.get_metric_history(run_id, f"lrcore/{name}")
        )
        for name in wanted(passed)
    }
    expected = {f"lrcore/{name}": v for name, v in wanted(passed).items()}
    np.testing.assert_equal(found, expected)
    tags = client.get_run(run_id).data.tags
    last = {f"lrcore/finding/{f.kind}": str(f) for _, _, fs in passed for f in fs}
    assert {k: v for k, v in tags.items() if k.startswith("lrcore/")} == last


def test_requests_to_mlflow_are_few_and_lose_nothing(mlflow, monkeypatch):
    sizes, fails = [], True

    def log_batch(self, run_id, metrics=(), params=(), tags=(), **more):
        if fails:
            raise ConnectionError("no server")
        sizes.append(len(metrics))

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", log_batch)
    monkeypatch.setattr("lrcore.trackers._mlflow._SECONDS", math.inf)
    log = MLflow("some id")
    for step in range(999):
        log(step, {"loss": 1.0}, [])
    for step in range(999, 1500):
        with pytest.raises(ConnectionError):
            log(step, {"loss": 1.0}, [])
    fails = False
    log.close()
    assert sizes == [1000, 500]
    log.close()
    assert len(sizes) == 2
    monkeypatch.setattr("lrcore.trackers._mlflow._SECONDS", 0.0)
    MLflow("some id")(1, {"loss": 1.0}, [])
    assert len(sizes) == 3


def test_what_a_close_could_not_send_is_sent_by_the_next_one(mlflow, monkeypatch):
    sent, fails = [], True

    def log_batch(self, run_id, metrics=(), params=(), tags=(), **more):
        if fails:
            raise ConnectionError("no server")
        sent.extend(metric.step for metric in metrics)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", log_batch)
    log = MLflow("some id")
    log(1, {"loss": 1.0}, [])
    with pytest.raises(ConnectionError):
        log.close()
    fails = False
    log.close()
    assert sent == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
# JAX, which another test has imported, and Python 3.12 warn of threads at a fork.
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_sends_its_own_steps_alone(mlflow, monkeypatch):
    def log_batch(self, run_id, metrics=(), params=(), tags=(), **more):
        os.write(said, b"".join(b"%d " % metric.step for metric in metrics))

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", log_batch)
    heard, said = os.pipe()
    log = MLflow("some id")
    log(1, {"loss": 1.0}, [])
    if not (child := os.fork()):
        try:
            with log:
                log(2, {"loss": 1.0}, [])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    log.close()
    os.close(said)
    with open(heard, "rb") as file:
        assert file.read() == b"2 1 "


def test_what_is_no_run_of_mlflow(mlflow):
    with pytest.raises(ValueError, match=r"^run: expected a run, or an active one"):
        MLflow()
    with pytest.raises(TypeError, match=r"^run: expected a run of MLflow, found 3"):
        MLflow(3)


# --- Weights & Biases -----------------------------------------------------------------


def records(path):
    """Read a run's file: records in blocks of 32 KB, as in LevelDB's log format."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if -at % 32768 < 7:  # the end of a block has no room for a header
            at += -at % 32768
        _, length, kind = struct.unpack_from("<IHB", data, at)
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a full record, or the last part of one
            yield Record.FromString(part)
            part = b""


def test_wandb(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="make test-packages")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with wandb.init(mode="offline", dir=tmp_path, project="trackers") as active:
        with WandB() as log:
            active.log({"own": 1.0})
            passed = run(log)
        active.log({"own": 2.0})
    wandb.teardown()  # waits for the process that writes the file
    (path,) = tmp_path.rglob("*.wandb")
    rows, axes = [], {}
    for record in records(path):
        if record.WhichOneof("record_type") == "history":
            rows.append(
                {
                    item.key or "/".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
            )
        if record.WhichOneof("record_type") == "metric":
            axes[record.metric.name] = record.metric.step_metric
    assert [row["own"] for row in rows if "own" in row] == [1.0, 2.0]
    own = [row for row in rows if "lrcore/step" in row]
    for (step, values, findings), row in zip(passed, own, strict=True):
        row = {name: x for name, x in row.items() if name.startswith("lrcore/")}
        if findings:
            assert row.pop("lrcore/findings") == "\n".join(map(str, findings))
        expected = {f"lrcore/{name}": x for name, x in values.items()}
        np.testing.assert_equal(row, {"lrcore/step": step, **expected})
    assert axes.pop("lrcore/step") == ""
    assert {*axes.values()} == {"lrcore/step"}
    assert {f"lrcore/{name}" for name in wanted(passed)} < {*axes}


def test_what_is_no_run_of_wandb():
    pytest.importorskip("wandb", reason="make test-packages")
    with pytest.raises(ValueError, match=r"^run: expected a run, found none; call"):
        WandB()
    with pytest.raises(TypeError, match=r"^run: expected a run of wandb, found 3"):
        WandB(3)
