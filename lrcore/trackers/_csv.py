"""Steps in a file of comma-separated values."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from io import StringIO
from os import PathLike

from lrcore._shared import files
from lrcore._shared.domains import FLAG
from lrcore._shared.words import kind, shortened
from lrcore.monitor import Finding
from lrcore.monitor._log import NAMES
from lrcore.trackers._tracker import Tracker

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
        steps again.
    every : int, default 1
        Write each step whose number is a multiple of this, and each with a finding or a
        validation loss.

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
        self.path = os.fspath(path)
        self._continues = append and os.path.exists(path) and os.path.getsize(path) > 0
        if self._continues:
            next(self._rows())  # for its error
            files.check_writable(path)
        else:
            self._open("w")
            self._lines.writerow(COLUMNS)

    def _write(
        self, step: int, values: dict[str, float], findings: list[Finding]
    ) -> None:
        if self._continues:
            # A validation loss alone belongs to a step that the file has.
            self._remove_from(step if "loss" in values else step + 1)
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

    def _rows(self) -> Iterator[list[str]]:
        """Give the rows of the file, its header first; one that was torn is left out.

        Raises
        ------
        ValueError
            It is another file.
        """
        with open(self.path, newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            if header != [*COLUMNS]:
                raise ValueError(
                    f"path: expected a file of lrcore.trackers.CSV to append to, found "
                    f"{shortened(self.path)} with the columns "
                    f"{shortened(','.join(header))}"
                )
            yield header
            yield from (row for row in rows if len(row) == len(COLUMNS))

    def _remove_from(self, step: int) -> None:
        """Remove the lines of a step and of those after it."""
        header, *rows = self._rows()
        kept = [row for row in rows if not row[0].isdecimal() or int(row[0]) < step]
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *kept])
        with files.replacing(self.path) as file:
            file.write(text.getvalue().encode())
