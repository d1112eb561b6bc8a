"""Steps as metrics of a run of MLflow."""

from __future__ import annotations

import os
from time import monotonic, time
from typing import Any

from lrcore._shared.words import shown
from lrcore.monitor import Finding
from lrcore.trackers._tracker import Tracker, needed

_MOST = 1000  # metrics of one request, which MLflow limits to this
_SECONDS = 5.0  # that a metric waits for a request, at most


class MLflow(Tracker):
    """Write steps to a run of MLflow: numbers as metrics, findings as tags.

    A request to MLflow takes milliseconds, so metrics wait for each other: until there
    are a thousand of them, for 5 seconds, or for a finding.  `close` sends the rest.

    Parameters
    ----------
    run : mlflow.entities.Run, str or None
        A run, or its id.  Default None: the active run.
    every : int, default 1
        As for `Tracker`.
    prefix : str, default "lrcore/"
        As for `Tracker`, and put before the name of each tag: the last finding of each
        kind is the tag "lrcore/finding/<kind>".

    Raises
    ------
    TypeError, ValueError
        An argument is something else, or no run is active.
    ImportError
        MLflow is not installed.
    """

    def __init__(
        self, run: Any = None, *, every: int = 1, prefix: str = "lrcore/"
    ) -> None:
        super().__init__(every, prefix)
        mlflow = needed("mlflow", "MLflow", "mlflow")
        if run is None and (run := mlflow.active_run()) is None:
            raise ValueError(
                "run: expected a run, or an active one, found none; call "
                "mlflow.start_run() before"
            )
        run_id = run if isinstance(run, str) else getattr(run, "info", None)
        run_id = getattr(run_id, "run_id", run_id)
        if not isinstance(run_id, str):
            raise TypeError(f"run: expected a run of MLflow, found {shown(run)}")
        self._mlflow, self._run_id = mlflow, run_id
        self._begin()

    def _begin(self) -> None:
        """Begin with nothing to send."""
        self._process = os.getpid()
        self._requests = _Requests(self._mlflow, self._run_id)
        self._ends_by(self._requests.send)

    def _write(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        if os.getpid() != self._process:  # what waits here, the parent sends
            self._begin()
        tags = {f"{self.prefix}finding/{f.kind}": str(f) for f in findings}
        self._requests.add(step, self._named(values), tags)


class _Requests:
    """The metrics and tags that have not been sent yet."""

    def __init__(self, mlflow: Any, run_id: str) -> None:
        self._entities, self._run_id = mlflow.entities, run_id
        self._client = mlflow.MlflowClient()
        self._metrics: list[Any] = []
        self._tags: dict[str, str] = {}
        self._sent_at = monotonic()

    def add(self, step: int, values: dict[str, float], tags: dict[str, str]) -> None:
        """Add the metrics and tags of a step, and send all if it is time."""
        made, now = self._entities.Metric, int(1000 * time())
        self._metrics += [made(name, x, now, step) for name, x in values.items()]
        self._tags |= tags
        is_late = monotonic() - self._sent_at > _SECONDS
        if tags or is_late or len(self._metrics) >= _MOST:
            self.send()

    def send(self) -> None:
        """Send all; what an error keeps from being sent waits for the next time."""
        while self._metrics or self._tags:
            tags = [self._entities.RunTag(*tag) for tag in self._tags.items()]
            some = self._metrics[:_MOST]
            self._client.log_batch(self._run_id, metrics=some, tags=tags)
            self._metrics, self._tags = self._metrics[len(some) :], {}
        self._sent_at = monotonic()
