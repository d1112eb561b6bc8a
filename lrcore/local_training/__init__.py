"""Several processes that train apart, and meet now and then.

`LocalSGD` lets each rank take steps alone, averages how far the ranks have come, and
moves the shared params by an outer optimizer (DiLoCo): see
``docs/how_to/local_training.md``.  A `Codec` says how the differences travel;
`BFloat16` and `Int8` take a half and a quarter of the bytes of float32.  The processes
are ranks of `lrcore.distributed`.

Modules with an underscore are the room's own: `_rounds` meets and takes outer
steps, `_mean` averages vectors of the ranks, `_quorum` decides when they meet, `_lost`
who goes on without a lost one, and `_teams` is about inner optimizers of several ranks.
"""

from lrcore.local_training._codecs import BFloat16, Codec, Int8
from lrcore.local_training._local_sgd import LocalSGD
from lrcore.local_training._meeting import Meeting

__all__ = ["BFloat16", "Codec", "Int8", "LocalSGD", "Meeting"]
