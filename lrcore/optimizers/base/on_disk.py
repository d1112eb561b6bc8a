"""Saving an optimizer to a file, and loading it: `lrcore.checkpoint` does the work."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, Literal, NamedTuple

from lrcore.optimizers.base import checkpoint
from lrcore.optimizers.base.matching import Match
from lrcore.optimizers.base.planned import Planned
from lrcore.optimizers.base.saved_dict import Source
from lrcore.optimizers.base.saving import Saving


class Room:
    """The room above that does the work.

    imported : imports and returns it; the package sets it, as imports lead down.
    """

    imported: Callable[[], Any]


class Restored(NamedTuple):
    """What a load returns.

    path : the file.
    step : the number of steps, as it was saved with it.
    metric : the metric, or None.
    extra : what was saved as `extra`, by name.
    missing, unexpected : the paths of arrays that the file or the optimizer lacks.
    replaced : a text for each schedule of the optimizer that the file's replaced.
    nonfinite : the names of the arrays, of the optimizer and its params, that have NaN
        or infinity: the run had diverged when it was saved.
    """

    path: str
    step: int
    metric: float | None
    extra: dict[str, Any]
    missing: list[str]
    unexpected: list[str]
    replaced: list[str]
    nonfinite: list[str]


class OnDisk(Planned):
    """The part of `Optimizer` that saves to files."""

    __slots__ = ()

    def save(
        self,
        path: str | PathLike[str],
        *,
        params: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Save everything that later steps depend on to a file of safetensors.

        When it returns, the file is on the disk.  If it raises an error, or the process
        is killed, or the power fails, the file at `path` is the one that was there
        before: a new one is written beside it, takes its name when it is complete, and
        leaves the old one as ``PATH.prev``.

        Parameters
        ----------
        path : str or path
            The file; its folder must exist.
        params : bool
            Whether the params are saved, too.  Default True.
        extra : dict, optional
            What else the run needs, by name: numbers, strings, arrays of bools, ints,
            floats and complex numbers, lists, tuples and dicts of them, random
            generators of NumPy, and objects with ``state_dict`` and
            ``load_state_dict``: `EarlyStopping`, `LossScaler`, `Monitor`, ....

        Raises
        ------
        TypeError, ValueError
            An argument cannot be saved; the message names it.
        OSError
            The file cannot be written.  The old one is there as before; or the new one,
            whole, if only its name could not be synced to the disk.
        RuntimeError
            A step is running, or the params are lent to ``averaged()``; or another
            thread has stepped or changed the optimizer meanwhile.  The old file is
            there as before.

        Notes
        -----
        The file has the states, averages and gathered gradients, all counts of steps,
        hyper-parameters, schedules and options that change results.  A plateau that is
        a hyper-parameter is saved with them: leave it out of `extra`.  Of a function
        that is one (``lr=lambda t: ...``) it has only the name; give it to the
        optimizer that loads the file.  Each tensor has a SHA-256 digest, which `load`
        verifies.

        No array is copied as a whole, except complex ones, and those that an object
        of `extra` copies in its ``state_dict``.

        With `comm`, every rank calls this, and writes its own elements; the file is
        that of one process.  `extra` is that of rank 0.  An error of one rank is raised
        on all of them.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np, lrcore
        >>> w, rng = np.ones(2), np.random.default_rng(0)
        >>> opt = lrcore.Adam(w, lr=lrcore.schedules.Cosine(0.1, total=100))
        >>> opt.step(rng.normal(size=2))
        True
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/run.safetensors"
        ...     opt.save(path, extra={"epoch": 1, "rng": rng})
        ...     v = np.zeros(2)
        ...     again = lrcore.Adam(v, lr=lrcore.schedules.Cosine(0.1, total=100))
        ...     restored = again.load(path)
        >>> again.t, (v == w).all(), restored.extra["epoch"]
        (1, np.True_, 1)
        >>> restored.extra["rng"].random() == rng.random()
        True
        """
        Room.imported()._save.save(self, path, params, extra)

    def save_async(
        self,
        path: str | PathLike[str],
        *,
        params: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> Saving:
        """Save as `save` does, but write the file while training goes on.

        The call copies all arrays, which takes about as long as a step, and returns; a
        thread digests the copy and writes it.  The file is what `save` would have
        written at the moment of the call, to the bit, whatever changes meanwhile.

        Parameters
        ----------
        path, params, extra
            As for `save`.

        Returns
        -------
        lrcore.checkpoint.Saving
            ``wait()`` waits until the file is on the disk, and ``done`` tells whether
            it is.  You may leave both out: the interpreter ends when it is written.

        Raises
        ------
        TypeError, ValueError, OSError, RuntimeError
            As for `save`, of what can be known at once; then nothing is begun.
        MemoryError
            There is no memory for the copy.

        Notes
        -----
        Errors of the writing (a full disk) are raised once: by ``wait()``, or by the
        next `save_async`, `save` or `load` of this optimizer, which then does nothing
        else.  If there is none, the error is printed when the optimizer is deleted or
        the interpreter ends.  The file at `path` is the old one then, as for `save`.

        An optimizer has one such save under way, and so has a path: the next
        `save_async`, `save` or `load` of the same optimizer or path waits until it is
        over.  So a file is never replaced by an older one, and memory holds one copy:
        the bytes of the params, states and arrays of `extra`.  It is kept for the next
        call until the optimizer is deleted.  Fresh memory takes longer to get than the
        copy to make, so that the first call takes some steps' time: make it before the
        loop, or let ``Checkpoint(folder, background=True).load(opt)`` get the memory.

        A forked child has no part in it: the file is written by its parent.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np, lrcore
        >>> w = np.zeros(2)
        >>> opt = lrcore.SGD(w, lr=1.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saving = opt.save_async(f"{folder}/run.safetensors")
        ...     opt.step(np.ones(2))
        ...     saving.wait()
        ...     opt.load(f"{folder}/run.safetensors").step
        True
        0
        >>> w
        array([0., 0.])
        """
        saving: Saving = Room.imported()._save.save_async(self, path, params, extra)
        return saving

    def load(
        self,
        path: str | PathLike[str],
        *,
        params: bool = True,
        extra: Mapping[str, Any] | None = None,
        strict: bool = True,
        match: Match = "place",
        hyper: Source = "saved",
        dtype: Literal["same", "convert"] = "same",
    ) -> Restored:
        """Continue from a file that `save` wrote: everything in place, to the bit.

        All of the file is verified and compared with this optimizer before anything is
        changed.  It takes little memory, except for a copy of each array in Fortran
        order, which the file has in C order, and of the arrays in `extra`.

        Parameters
        ----------
        path : str or path
            The file.
        params : bool
            Whether the params are loaded, too.  Default True.
        extra : dict, optional
            Arrays, generators and objects of yours that are to continue in place, by
            the names under which they were saved.
        strict, match, hyper
            As for ``load_state_dict``.
        dtype : {"same", "convert"}
            "convert": float32 becomes float64 where this optimizer has it, and the
            other way, for params, states, arrays in `extra` and the weights of an
            `EarlyStopping`; this takes the memory of the converted arrays.  Default
            "same": another dtype is an error.

        Returns
        -------
        Restored
            ``extra`` has what was saved, by name: what you gave is the same object,
            other generators are new ones, and of other objects it is their
            ``state_dict()``.  ``step`` and ``metric`` are those of `Checkpoint`, and
            ``missing`` and ``unexpected`` those of ``load_state_dict``.

        Raises
        ------
        FileNotFoundError, OSError
            There is no file, or it cannot be read.
        lrcore.checkpoint.DamagedError
            The file is not as it was saved.  The message names the save before it, if
            that is there.
        TypeError, ValueError
            The file does not fit this optimizer, its params or `extra`; it has a newer
            format, or a value that no run has, as a negative mean of squares; or a
            function was not given again.  Nothing is changed.
        RuntimeError
            A step is running, or the params are lent to ``averaged()``.

        Warns
        -----
        UserWarning
            A schedule was replaced, or an array has NaN or infinity, as of a run that
            diverged: it is loaded as it is.  (`lrcore.checkpoint.read` looks into a
            file without an optimizer.)

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np, lrcore
        >>> w = np.zeros(3)
        >>> opt, scaler = lrcore.SGD(w, lr=0.1), lrcore.LossScaler(8.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     opt.save(f"{folder}/run.safetensors", extra={"scaler": scaler})
        ...     scaler.scale, w[:] = 2.0, 1.0
        ...     opt.load(f"{folder}/run.safetensors", extra={"scaler": scaler}).step
        0
        >>> scaler.scale, w
        (8.0, array([0., 0., 0.]))
        """
        restored: Restored = Room.imported()._load.load(
            self,
            path,
            params=params,
            extra=extra,
            strict=strict,
            match=match,
            hyper=hyper,
            dtype=dtype,
        )
        replaced, nonfinite = restored.replaced, restored.nonfinite
        for warning in checkpoint.warnings_about(replaced, nonfinite):
            warnings.warn(f"load: {warning}", stacklevel=2)
        return restored
