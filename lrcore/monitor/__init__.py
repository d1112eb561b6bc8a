"""Says what is wrong with a run's learning rate."""

from lrcore.monitor._monitor import *
