"""The learning-rate range test."""

from lrcore.finder._finder import *
