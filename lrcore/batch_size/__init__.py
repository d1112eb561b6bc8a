"""Batch sizes."""

from lrcore.batch_size._noise import *
