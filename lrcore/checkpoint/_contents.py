"""Reading a file without an optimizer."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from lrcore._shared.domains import FLAG
from lrcore._shared.types import Array
from lrcore.checkpoint._decode import Decoder
from lrcore.checkpoint._load import contents
from lrcore.checkpoint._paths import Path, resolved
from lrcore.checkpoint._read import Opened


class Contents(NamedTuple):
    """What is in a file, as `read` returns it.

    path : the file.
    step : the number of steps; None in a file that lrcore has not saved.
    metric : the metric, or None.
    params : the params by their names: their paths with dots, as ``layers.0.bias``; ""
        for a single array.  Of another file of safetensors, all arrays.
    state : the states of the optimizer by name, as ``layers.0.bias.m``.
    extra : what was saved as `extra`; of an object, its `state_dict`.
    functions : the hyper-parameters that are functions, which are not in the file.
    """

    path: str
    step: int | None
    metric: float | None
    params: dict[str, Array]
    state: dict[str, Array]
    extra: dict[str, Any]
    functions: list[str]


def read(path: Path, *, mmap: bool = False) -> Contents:
    """Read the arrays and numbers of a checkpoint, without an optimizer.

    Parameters
    ----------
    path : str or path
        A file of ``opt.save`` or `Checkpoint`, or any other file of safetensors, whose
        arrays cannot be verified, as it has no digests.
    mmap : bool
        Whether the arrays are views of the mapped file: read-only, and in memory only
        as far as they are used.  Default False: they are copies.

    Returns
    -------
    Contents

    Raises
    ------
    FileNotFoundError, OSError
        There is no file, or it cannot be read.
    DamagedError
        The file is not as it was saved.
    ValueError
        It has a newer version of the format.

    Examples
    --------
    >>> import tempfile
    >>> params = {"W": np.ones((2, 2)), "b": np.zeros(2)}
    >>> opt = lrcore.Adam(params)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     opt.save(f"{folder}/run.safetensors", extra={"epoch": 3})
    ...     found = lrcore.checkpoint.read(f"{folder}/run.safetensors")
    >>> found.params["W"]
    array([[1., 1.],
           [1., 1.]])
    >>> sorted(found.state), found.extra
    (['W.m', 'W.v', 'b.m', 'b.v'], {'epoch': 3})
    """
    maps = FLAG.check("mmap", mmap)
    with Opened(resolved(path)) as file:
        one = file.mapped if maps else file.array
        if not file.own:
            arrays = {tensor.name: one(tensor.name) for tensor in file.tensors}
            return Contents(file.path, None, None, arrays, {}, {}, [])
        file.verify()
        content = contents(file)
        return Contents(
            file.path,
            file.number("step"),
            file.number("metric"),
            _under("params", file, one),
            _under("state", file, one),
            Decoder(one, content).decode(content["extra"], "extra"),
            json.loads(file.header.metadata["functions"]),
        )


def _under(first: str, file: Opened, one: Any) -> dict[str, Array]:
    """Return the arrays whose names begin with a word, without this word."""
    return {
        tensor.name[len(first) :].removeprefix("."): one(tensor.name)
        for tensor in file.tensors
        if tensor.name == first or tensor.name.startswith(f"{first}.")
    }
