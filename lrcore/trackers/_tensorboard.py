"""Steps in event files of TensorBoard."""

from __future__ import annotations

import os
from importlib.util import find_spec
from os import PathLike
from typing import Any

from lrcore._shared.words import shown
from lrcore.monitor import Finding
from lrcore.trackers._tracker import Tracker, needed


class TensorBoard(Tracker):
    """Write steps for TensorBoard: numbers as scalars, findings as texts.

    Parameters
    ----------
    writer : SummaryWriter, str or path-like
        A SummaryWriter of tensorboardX or torch, which `close` leaves open; or the
        folder of a new one, of tensorboardX, or of torch if tensorboardX is missing.
    every : int, default 1
    prefix : str, default "lrcore/"
        As for `Tracker`.

    Raises
    ------
    TypeError
        An argument is something else.
    ImportError
        Neither package is installed.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with lrcore.trackers.TensorBoard(folder) as log:
    ...         lrcore.Monitor(log=log).update(0.5, lr=0.1)
    ...     len(os.listdir(folder))
    1
    """

    def __init__(
        self,
        writer: Any,
        *,
        every: int = 1,
        prefix: str = "lrcore/",
    ) -> None:
        super().__init__(every, prefix)
        if isinstance(writer, (str, PathLike)):
            here = find_spec("tensorboardX") or not find_spec("torch")
            module = "tensorboardX" if here else "torch.utils.tensorboard"
            made = needed(module, "TensorBoard", "tensorboard")
            writer = made.SummaryWriter(os.fspath(writer))
            self._ends_by(writer.close)
        elif not hasattr(writer, "add_scalar"):
            raise TypeError(
                "writer: expected a SummaryWriter of tensorboardX or torch, or a "
                f"folder, found {shown(writer)}"
            )
        self.writer = writer

    def _write(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        for name, value in self._named(values).items():
            self.writer.add_scalar(name, value, step)
        for finding in findings:
            self.writer.add_text(f"{self.prefix}findings", str(finding), step)
        if findings:
            self.writer.flush()
