"""Steps in a file of comma-separated values."""

from __future__ import annotations

import csv
import os
from io import StringIO
from os import PathLike

from lrcore._shared import files
from lrcore._shared.domains import FLAG
from lrcore._shared.words import kind, shortened
from lrcore.monitor import Finding
from lrcore.trackers._tracker import NAMES, Tracker

COLUMNS = ("step", *NAMES, "findings")


class CSV(Tracker):
    """Write steps to a file of comma-separated values, a line for each.

    The columns are step, loss, validation, lr, grad_norm, update_norm, param_norm,
    update_ratio, nonfinite and findings; what is not known is empty.  Numbers are
    written in full.  A line is in the file when the step has been written.

    Parameters
    ----------
    path : str or path-like
        The file; one that is there is overwritten.
    append : bool, default False
        Go on in the file that is there, if any.  Its lines from the first step on that
        is written now are removed: a run that is resumed from a checkpoint takes these
        steps again.  So is a last line that was torn.
    every : int, default 1
        As for `Tracker`.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file to go on in has other columns.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with lrcore.trackers.CSV(f"{folder}/run.csv") as log:
    ...         monitor = lrcore.Monitor(log=log)
    ...         monitor.update(0.5, lr=0.1)
    ...     lines = Path(folder, "run.csv").read_text().splitlines()
    >>> lines[-1]
    '1,0.5,,0.1,,,,,,'
    """

    def __init__(
        self, path: str | PathLike[str], *, append: bool = False, every: int = 1
    ) -> None:
        super().__init__(every)
        append = FLAG.check("append", append)
        if not isinstance(path, (str, PathLike)):
            raise TypeError(f"path: expected a str or a path, found {kind(path)}")
        self.path = os.path.abspath(path)
        self._continues = append and os.path.exists(path) and os.path.getsize(path) > 0
        if self._continues:
            self._check()
        else:
            self._open("w")
            self._lines.writerow(COLUMNS)

    def _write(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        if self._continues:
            # A validation loss alone belongs to a step that the file has.
            self._remove_from(step, validation_alone="loss" not in values)
            self._open("a")
            self._continues = False
        numbers = [values.get(name, "") for name in NAMES]
        self._lines.writerow([step, *numbers, "; ".join(map(str, findings))])

    def _open(self, mode: str) -> None:
        # Line by line, so that an end of the process loses nothing.
        file = open(  # noqa: SIM115 # `close` closes it
            self.path, mode, buffering=1, newline="", encoding="utf-8"
        )
        self._lines = csv.writer(file, lineterminator="\n")
        self._ends_by(file.close)

    def _check(self) -> None:
        """Check that the file is one to go on in.

        Raises
        ------
        OSError
            It cannot be written.
        ValueError
            It is another file.
        """
        with open(self.path, newline="", encoding="utf-8") as file:
            header = next(csv.reader(file), [])
        if header != [*COLUMNS]:
            raise ValueError(
                f"path: expected a file of lrcore.trackers.CSV to append to, found "
                f"{shortened(self.path)} with the columns {shortened(','.join(header))}"
            )
        files.check_writable(self.path)

    def _remove_from(self, step: int, *, validation_alone: bool) -> None:
        """Remove the lines that will be written again, and one that was torn.

        They are those of later steps, and of this step: all of them, or the one of a
        validation loss alone.
        """
        loss = COLUMNS.index("loss")
        kept = [
            row
            for row in _whole_rows(self.path)
            if not row[0].isdecimal()
            or int(row[0]) < step
            or (int(row[0]) == step and validation_alone and row[loss])
        ]
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *kept])
        with files.replacing(self.path) as file:
            file.write(text.getvalue().encode())


def _whole_rows(path: str) -> list[list[str]]:
    """Return the rows of a file, without its header and those that were torn."""
    with open(path, "rb") as file:
        data = file.read()
    text = data[: data.rfind(b"\n") + 1].decode()
    rows = [*csv.reader(StringIO(text, newline=""))][1:]
    # A whole row has an even number of quotation marks, as those in a text are doubled.
    if text.count('"') % 2:
        del rows[-1]
    return [row for row in rows if len(row) == len(COLUMNS)]
