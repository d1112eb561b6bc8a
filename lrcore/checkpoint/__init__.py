"""Checkpoints: an optimizer, its params and the rest of a run in a file.

``Optimizer.save`` and ``Optimizer.load`` are the usual way, and ``save_async`` writes
while training goes on; `Checkpoint` keeps the latest files of a run and the best;
`read` reads a file without an optimizer.

A file is one of safetensors, which other programs read, too.  lrcore writes it by
itself: the package safetensors neither waits until the data is on the disk nor
verifies it, and needs all of it in memory at once.  There is no pickle in it, so that a
file from elsewhere can run no code.
"""

from lrcore.checkpoint._contents import Contents, read
from lrcore.checkpoint._folder import Checkpoint
from lrcore.checkpoint._read import DamagedError
from lrcore.optimizers.base.on_disk import Restored
from lrcore.optimizers.base.saving import Saving

__all__ = ["Checkpoint", "Contents", "DamagedError", "Restored", "Saving", "read"]
