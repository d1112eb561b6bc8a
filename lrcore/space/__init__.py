"""Dimensions of a search."""

from lrcore.space._dimensions import *
