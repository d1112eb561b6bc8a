"""The results of a monitor: history, findings, the verdict on the rate, pictures."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Literal

from lrcore._shared.html import table
from lrcore.monitor._diagnosis import Watched, diagnose, judged, nothing_wrong, since
from lrcore.monitor._finding import Finding, Rate
from lrcore.monitor._history import History
from lrcore.monitor._known import Known
from lrcore.monitor._resume import Resumable
from lrcore.monitor._windows import Windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# A run on its way is taken to become twice as long, if its length is not known.
GOES_ON = 2.0


class Results(Resumable):
    """The part of `Monitor` that tells its results, and the attributes it needs."""

    _first: float
    _begin: int
    _windows: Windows
    _known: Known

    @property
    def history(self) -> History:
        """The run so far, in at most about 1,024 blocks of steps."""
        return self._recorder.history()

    def diagnose(self) -> list[Finding]:
        """Return the findings that hold if the run ends now, the worst first.

        If there are none, the only one is of the kind "healthy", or "unknown" if fewer
        than 40 steps were taken (since the last rollback).
        """
        watched = self._watched()
        found = diagnose(watched)
        return found or [nothing_wrong(watched, self.history, judged(watched))]

    def rate(self) -> Rate | Literal["fine", "unknown"]:
        """Return the verdict of `diagnose` on the learning rate.

        Returns
        -------
        {"too high", "too low", "fine", "unknown"}
            "unknown" if there are too few steps to judge it: fewer than 40 since the
            beginning or the last rollback, or too few that have a finite loss.
        """
        rates = [finding.rate for finding in self.diagnose() if finding.rate]
        if rates:
            return rates[0]
        return "fine" if judged(self._watched()) else "unknown"

    def _all(self) -> list[Finding]:
        """Return the findings so far, and those that hold if the run ends now."""
        return self.findings + [f for f in self.diagnose() if f.kind not in self._told]

    def plot(
        self, path: str | PathLike[str] | None = None, title: str | None = None
    ) -> Figure:
        """Draw the run, into a file or for a notebook: see `lrcore.plots.dashboard`."""
        from lrcore.monitor import _dashboard

        return _dashboard.dashboard(self.history, self._all(), path, title)

    def report_html(
        self, path: str | PathLike[str], title: str = "Training run"
    ) -> None:
        """Write the pictures and the findings as one HTML page, which loads nothing.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from lrcore.monitor import _page

        _page.write(path, self.history, self._all(), title)

    def __repr__(self) -> str:
        steps = self._recorder.steps
        return f"<Monitor: {steps} steps, learning rate {self.rate()}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks: the verdict on the rate, and the findings."""
        steps = self._recorder.steps
        listed = [(finding.severity, str(finding)) for finding in self._all()]
        rows = [("learning rate", self.rate()), ("steps", f"{steps:,}"), *listed]
        return table("Monitor", rows)

    def _since_rollback(self) -> History:
        return since(self._recorder.history(), self._begin + 1)

    def _watched(self) -> Watched:
        history = self._since_rollback()
        return Watched(history, self._first, self._windows, self._known)

    def _diagnosed(self) -> list[Finding]:
        return diagnose(self._watched(), GOES_ON)
