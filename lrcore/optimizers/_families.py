"""All optimizers: the classes of every family, also by name."""

from lrcore._shared.named import picked as _picked
from lrcore.optimizers.adagrad import *
from lrcore.optimizers.adam import *
from lrcore.optimizers.adaptation import *
from lrcore.optimizers.base.optimizer import Optimizer as _Optimizer
from lrcore.optimizers.distance import *
from lrcore.optimizers.dual import *
from lrcore.optimizers.factored import *
from lrcore.optimizers.hypergradient import *
from lrcore.optimizers.layerwise import *
from lrcore.optimizers.moments import *
from lrcore.optimizers.muon import *
from lrcore.optimizers.nadam import *
from lrcore.optimizers.normalised import *
from lrcore.optimizers.polyak import *
from lrcore.optimizers.prodigy import *
from lrcore.optimizers.schedule_free import *
from lrcore.optimizers.sgd import *
from lrcore.optimizers.sign import *
from lrcore.optimizers.sm3 import *
from lrcore.optimizers.third_mean import *


def _kinds() -> dict[str, type[_Optimizer]]:
    """Return the optimizers by name, in the order of the alphabet."""
    kinds = {n: kind for n, kind in globals().items() if not n.startswith("_")}
    return dict(sorted(kinds.items(), key=lambda item: item[0].lower()))


def _named(argument: str, name: str) -> type[_Optimizer]:
    """Return the class of an optimizer by its name."""
    return _picked(argument, name, _kinds())
