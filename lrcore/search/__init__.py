"""Search of hyper-parameters."""

from lrcore.search._search import *
