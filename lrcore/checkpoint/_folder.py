"""The checkpoints of a run in a folder: the latest ones, and the best."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from math import isnan
from pathlib import Path
from typing import Any, Literal

from lrcore._shared.domains import FLAG, MODES, choice, count, real
from lrcore._shared.foreign import no_optimizer
from lrcore._shared.words import shown
from lrcore.checkpoint import _durable
from lrcore.checkpoint._listing import listing, name_of
from lrcore.checkpoint._read import DamagedError
from lrcore.checkpoint._save import prepare, save, save_async
from lrcore.optimizers.base import saving
from lrcore.optimizers.base.on_disk import Restored
from lrcore.optimizers.base.optimizer import Optimizer

_KEEP = count(1).or_none()
_EVERY = count(1)
_STEP = count(0)
_WHICH = choice("latest", "best")


class Checkpoint:
    """Save a run every few steps, keep the latest checkpoints and the best, and go on.

    ::

        checkpoint = lrcore.Checkpoint("runs/first", keep=3, every=1000)
        restored = checkpoint.load(opt)     # None: the run begins
        for step in range(opt.t, 100_000):
            opt.step(gradient())
            checkpoint.save(opt, metric=validation_loss)

    The folder itself says what there is, no list beside it: each file is whole, or it
    is not there, whatever ended the process that wrote it (see ``Optimizer.save``).
    One process at a time may save into a folder.

    Parameters
    ----------
    folder : str or path
        Where the files are, ``step-000001000.safetensors``; it is made if it is not
        there.
    keep : int or None
        The number of latest checkpoints that are kept, >= 1, besides the best one.
        None: all.  Default 3.
    every : int
        The number of steps from one checkpoint to the next, >= 1: `save` does nothing
        between.  Default 1: each call saves.
    mode : {"min", "max"}
        Whether the best metric is the least or the greatest.  Default "min".
    background : bool
        Whether files are written while training goes on: `save` copies the arrays, as
        ``Optimizer.save_async`` does, and waits only if the file before is still being
        written.  `load` gets the memory of the copy, so that the first `save` takes no
        longer than the next ones.  Default False.

    Attributes
    ----------
    latest, best : Path or None
        The checkpoint that was saved last, and the one with the best metric; None if
        there is none.
    paths : list of Path
        All of them, the latest at the end.

    Raises
    ------
    TypeError, ValueError
        An argument is out of its domain.
    OSError
        The folder cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> folder, w = tempfile.TemporaryDirectory(), np.array([4.0])
    >>> opt = lrcore.SGD(w, lr=0.25)
    >>> checkpoint = lrcore.Checkpoint(folder.name, keep=2)
    >>> for step in range(5):
    ...     _ = opt.step(2 * w)
    ...     _ = checkpoint.save(opt, metric=abs(step - 1))
    >>> [path.name for path in checkpoint.paths]
    ['step-000000002.safetensors', 'step-000000004.safetensors', \
'step-000000005.safetensors']
    >>> checkpoint.load(opt, "best").step, w
    (2, array([1.]))
    >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keep: int | None = 3,
        *,
        every: int = 1,
        mode: Literal["min", "max"] = "min",
        background: bool = False,
    ) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"folder: expected a path, found {shown(folder)}")
        self.keep: int | None = _KEEP.check("keep", keep)
        self.every: int = _EVERY.check("every", every)
        self.mode: str = MODES.check("mode", mode)
        self.background: bool = FLAG.check("background", background)
        self.folder = Path(folder).absolute()
        self._made()
        found = listing(self.folder).entries
        self._last = found[-1].step if found else None
        self._saving: saving.Saving | None = None

    def save(
        self,
        opt: Optimizer,
        *,
        step: int | None = None,
        metric: float | None = None,
        params: bool = True,
        extra: Mapping[str, Any] | None = None,
        now: bool = False,
    ) -> Path | None:
        """Save a checkpoint if it is time to, and remove old ones.

        It is time at the first call, and when a multiple of `every` lies between the
        last saved step and this one.  With `background`, the error of a file that could
        not be written is raised by the next call, which does nothing else; it is time
        at the call after it.

        Parameters
        ----------
        opt, params, extra
            As for ``Optimizer.save``.
        step : int, optional
            The number of steps, or of epochs, >= 0.  Default: ``opt.t``.
        metric : float, optional
            The loss on a validation set, say, by which `best` chooses.  NaN is none.
        now : bool
            Whether it is time in any case, as at the end of a run.  Default False.

        Returns
        -------
        Path or None
            The file, which is on the disk now (with `background`: when `wait` returns);
            None if it was not time.

        Raises
        ------
        TypeError, ValueError, RuntimeError, OSError
            As for ``Optimizer.save``.
        """
        _check_optimizer(opt)
        at: int = opt.t if step is None else _STEP.check("step", step)
        value = None if metric is None else real("metric", metric, "a number")
        is_time = FLAG.check("now", now) or self._is_time(at)
        if is_time or (self._saving is not None and self._saving.done):
            self.wait()
        if not is_time:
            return None
        self._made()
        path, number = self.folder / name_of(at), listing(self.folder).next_number
        _durable.remove_unfinished(str(self.folder), "step-")
        known = value is not None and not isnan(value)
        about = {"step": at, "metric": value if known else None, "number": number}
        if self.background:
            self._saving = save_async(
                opt, path, params, extra, self._remove_old, **about
            )
            self._last = at
        else:
            save(opt, path, params, extra, **about)
            self._last = at
            self._remove_old()
        return path

    def wait(self) -> None:
        """Wait until the file that was saved last is on the disk.

        Raises
        ------
        OSError
            It could not be written, and no call has raised this before.
        """
        waits, self._saving = self._saving, None
        if waits is not None:
            try:
                saving.end(waits)
            except BaseException:
                self._last = None  # so that it is time at the next call
                raise

    def load(
        self, opt: Optimizer, which: Literal["latest", "best"] = "latest", **how: Any
    ) -> Restored | None:
        """Continue from a checkpoint.

        If the latest one is damaged, the one before it is loaded, with a warning.

        Parameters
        ----------
        opt : Optimizer
            Is loaded, with its params.
        which : {"latest", "best"}
            Default "latest".
        **how
            Further arguments of ``Optimizer.load``, such as `extra`.

        Returns
        -------
        Restored or None
            What ``Optimizer.load`` returns.  None: the folder has no checkpoint, and
            nothing was changed.

        Raises
        ------
        DamagedError
            There are checkpoints, and all of them are damaged; or the best is.
        TypeError, ValueError, RuntimeError, OSError
            As for ``Optimizer.load``.
        MemoryError
            There is no memory for the copy that `save` makes with `background`.
        """
        _check_optimizer(opt)
        which = _WHICH.check("which", which)
        if self.background:
            prepare(opt, how.get("params", True), how.get("extra"))
        self.wait()
        self._finish()
        entries, damaged = listing(self.folder)
        if which == "best":
            best = self.best
            return None if best is None else self._load(opt, best, how)
        told = [str(error) for error in damaged]
        for entry in reversed(entries):
            try:
                restored = self._load(opt, entry.path, how)
            except DamagedError as error:
                told.append(str(error))
                continue
            if told:
                warnings.warn(
                    f"{'; '.join(told[:3])}.  Loaded {shown(str(entry.path))}, of step "
                    f"{entry.step}, instead",
                    stacklevel=2,
                )
            return restored
        if told:
            raise DamagedError(
                f"folder: found only damaged checkpoints in {shown(str(self.folder))}: "
                f"{'; '.join(told[:3])}"
            )
        return None

    @property
    def latest(self) -> Path | None:
        """The checkpoint that was saved last."""
        return next(reversed(self.paths), None)

    @property
    def best(self) -> Path | None:
        """The checkpoint with the best metric; of equal ones, the first.

        If its step was saved again, it is the file before, ``.prev``; a third save of
        that step replaces it.
        """
        self._finish()
        return listing(self.folder).best(self.mode)

    @property
    def paths(self) -> list[Path]:
        """All checkpoints, the latest at the end."""
        self._finish()
        return listing(self.folder).current

    def __repr__(self) -> str:
        return (
            f"Checkpoint({str(self.folder)!r}, keep={self.keep}, every={self.every}, "
            f"mode={self.mode!r}, background={self.background})"
        )

    def _finish(self) -> None:
        """Wait for the files that are being written into this folder."""
        folder = os.path.realpath(self.folder)
        saving.finish(lambda path: os.path.dirname(path) == folder)

    def _made(self) -> None:
        """Make the folder, durably."""
        missing = [p for p in (self.folder, *self.folder.parents) if not p.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            _durable.sync_folder(str(path.parent))

    def _is_time(self, step: int) -> bool:
        if self._last is None:
            return True
        return self.every == 1 or step // self.every != self._last // self.every

    def _load(self, opt: Optimizer, path: Path, how: dict[str, Any]) -> Restored:
        restored = opt.load(path, **how)
        self._last = restored.step
        return restored

    def _remove_old(self) -> None:
        """Remove what is neither among the latest nor the best."""
        if self.keep is None:
            return
        ignored: list[type[OSError]] = [FileNotFoundError]
        if not _durable.LOCKS:  # an open file of Windows: a later call removes it
            ignored.append(PermissionError)
        found = listing(self.folder)
        kept = {*found.current[-self.keep :], found.best(self.mode)}
        for entry in found.entries:
            name = entry.path.name.removesuffix(_durable.PREVIOUS)
            if kept.isdisjoint((entry.path, entry.path.with_name(name))):
                with suppress(*ignored):
                    entry.path.unlink()


def _check_optimizer(opt: Any) -> None:
    if not isinstance(opt, Optimizer):
        raise no_optimizer(opt)
