"""All optimizers: the classes of every family."""

from lrcore.optimizers.adagrad import *
from lrcore.optimizers.adam import *
from lrcore.optimizers.adaptation import *
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
