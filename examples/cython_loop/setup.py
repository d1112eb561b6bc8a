"""Build the example: python setup.py build_ext --inplace."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import lrcore

setup(
    name="loop",
    ext_modules=cythonize(
        [Extension("loop", ["loop.pyx"], include_dirs=[lrcore.get_include()])],
        build_dir="build",
    ),
)
