"""Peers: the step by lrcore and by other libraries, each on its own arrays.

To add a library, write a class in a file of this package, and list it in PEERS.
"""

from __future__ import annotations

from importlib.metadata import version

from lrcore.bench.peers.base import ALL_THREADS as ALL_THREADS
from lrcore.bench.peers.base import Arrays as Arrays
from lrcore.bench.peers.base import Job as Job
from lrcore.bench.peers.base import Peer as Peer
from lrcore.bench.peers.base import installed as installed
from lrcore.bench.peers.base import settings as settings
from lrcore.bench.peers.loops import Numba, NumbaMulti, Textbook
from lrcore.bench.peers.others import Optax, ScikitLearn, Thinc
from lrcore.bench.peers.ours import Lrcore as Lrcore
from lrcore.bench.peers.ours import LrcoreOneThread as LrcoreOneThread
from lrcore.bench.peers.ours import LrcoreOpenMP as LrcoreOpenMP
from lrcore.bench.peers.ours import Traffic as Traffic
from lrcore.bench.peers.ours import like_p as like_p
from lrcore.bench.peers.ours import moved as moved
from lrcore.bench.peers.torch import (
    DeepSpeed,
    TorchForeach,
    TorchFused,
    TorchLoop,
    ZenFlow,
)

PEERS: tuple[type[Peer], ...] = (
    Textbook,
    Numba,
    NumbaMulti,
    TorchLoop,
    TorchForeach,
    TorchFused,
    Optax,
    Thinc,
    ScikitLearn,
    DeepSpeed,
    ZenFlow,
)


def versions() -> dict[str, str]:
    """Return the versions of the peers' packages that are installed."""
    packages = {peer.package: peer.module or peer.package for peer in PEERS}
    return {name: version(name) for name, at in packages.items() if installed(at)}
