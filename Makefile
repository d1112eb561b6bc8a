# Each target works on a fresh machine: it makes an environment in .venv, installs what
# pyproject.toml lists, and builds.  `make help` lists the targets.

.DEFAULT_GOAL := help
# Keep the files that pattern rules make: environments are not intermediate files.
.SECONDARY:
.PHONY: help demo test test-torch test-thinc test-packages test-openmpi bench wheel lint vec docs goldens libs install clean

# The first Python on the PATH that is 3.11 or newer and has venv and headers.
CANDIDATES = python3 python3.14 python3.13 python3.12 python3.11 python
SUITABLE = import sys, os, sysconfig, ensurepip, venv; \
	sys.exit(sys.version_info < (3, 11) or \
	not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	$$p -c '$(SUITABLE)' 2>/dev/null && echo $$p && break; done)

# Lists of pyproject.toml, as "build-system requires".
LISTED = import sys, tomllib; table, key = sys.argv[1:]; \
	print(*tomllib.load(open("pyproject.toml", "rb"))[table][key], sep="\n")
BIN = $(@D:/bin=)/bin
PIP = $(BIN)/python -m pip install -q --disable-pip-version-check
# Processes that run tests: one a processor, at most 8; none beside make's with only one.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 2 ? 0 : n < 8 ? n : 8)))
SOURCES = setup.py $(wildcard lrcore/*.pyx lrcore/*.pxd lrcore/_binding/*.pxi src_c/*.* src_c/*/*.*)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 | /p' Makefile | column -t -s '|'

demo: .venv/.core ## learn handwritten digits, then time the optimizer
	.venv/bin/lrcore demo

# All workers, and the processes that tests start, import the same modules: they compile
# them once, even where the environment says that Python keeps no bytecode.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/.test ## run the tests; ARGS="-m isa": those of the kernels
	.venv/bin/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not compilers and not trials" $(ARGS)

test-torch: .venv-torch/.torch ## run the tests of lrcore.torch, beside torch itself
	.venv-torch/bin/python -m pytest -q -n $(WORKERS) --dist worksteal tests/test_torch*.py \
		tests/packages/test_dlpack.py lrcore/torch $(ARGS)

# Tests and docstrings that need a package of that group, and examples that call one.
PACKAGED = tests/packages tests/test_embedding.py tests/test_embedding_jax.py \
	tests/test_pages.py lrcore/jax_ffi.py lrcore/optax lrcore/sklearn lrcore/thinc \
	lrcore/trackers

test-packages: .venv-packages/.packages ## run those beside scikit-learn, JAX, thinc and others
	.venv-packages/bin/python -m pytest -q -n $(WORKERS) --dist worksteal $(PACKAGED) $(ARGS)

test-thinc: .venv-thinc/.thinc ## run those of lrcore.thinc beside the newest thinc, not spaCy's
	.venv-thinc/bin/python -m pytest -q tests/packages/test_thinc.py lrcore/thinc $(ARGS)

# A few: `make test-packages` runs all of them over MPICH.
test-openmpi: .venv-openmpi/.openmpi ## run tests of several ranks over Open MPI, not MPICH
	.venv-openmpi/bin/python -m pytest -q tests/packages/test_mpi.py \
		tests/packages/test_mpi_ends.py tests/packages/test_mpi_threads.py \
		-k "calls or killed_ends or bits or told" $(ARGS)

bench: .venv-bench/.bench ## time the core beside torch, numba, NumPy and others
	.venv-bench/bin/lrcore bench --bars
	.venv-bench/bin/lrcore bench
	.venv-bench/bin/python -m pytest -q bench --benchmark-only

wheel: .venv-wheel/.tools ## build and check wheels that others can install, in dist/
	rm -rf dist
	.venv-wheel/bin/python setup.py -q sdist -d dist
	.venv-wheel/bin/python tests/build_wheels.py $(or $(SOURCE),dist/*.tar.gz) dist
	.venv-wheel/bin/python tests/check_wheels.py dist

lint: .venv/.lint ## check style, types, workflows, and that C compiles without a warning
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/clang-format --dry-run -Werror $$(git ls-files '*.[ch]' '*.inc')
	.venv/bin/mypy
	.venv/bin/zizmor --offline --quiet .github/workflows
	.venv/bin/python tests/check_warnings.py

vec: .venv/.core ## check that the compiler vectorised every kernel
	.venv/bin/python tests/check_vec.py

goldens: .venv-goldens/peers ## compute the golden trajectories again and compare
	.venv-goldens/bin/python tests/golden/make.py --check
	.venv-goldens/bin/python tests/golden/make_clip.py --check
	.venv-goldens/bin/python tests/golden/make_schedules.py --check

docs: .venv-docs/.docs ## build the pages in build/docs, and check them in a browser
	rm -rf build/docs
	.venv-docs/bin/python -m sphinx -q -W --keep-going -b html docs build/docs
	.venv-docs/bin/python docs/check.py build/docs

libs: | .venv/bin/python ## build liblrcore.a and .so in build/libs, for programs in C
	@.venv/bin/python libs.py

install: | .venv/bin/python ## install them and lrcore.h; PREFIX=/usr/local
	@.venv/bin/python libs.py --prefix $(PREFIX)

PREFIX ?= /usr/local

clean: ## remove what was built
	rm -rf build dist .venv .venv-* *.egg-info lrcore/*.so

# An environment.  Rules name it behind the bar: it is made only if it is missing.
%/bin/python:
ifeq ($(strip $(PYTHON)),)
	$(error no suitable Python found: lrcore needs Python 3.11 or newer with venv and \
	headers (Debian, Ubuntu: apt install python3-venv python3-dev), or name one: \
	make PYTHON=/path/to/python)
endif
	@echo "Making an environment in $*: it takes 15 seconds, and downloads packages."
	@$(PYTHON) -m venv $*
	@$*/bin/python -c '$(LISTED)' build-system requires > $*/requires.txt
	@$(PIP) -r $*/requires.txt

# The extension, in lrcore/.  setup.py compiles only files that have changed.
%/.built: $(SOURCES) | %/bin/python
	@echo "Building: the first time takes about a minute on two processors."
	@$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

# The package and its requirements; the extension has been built.
%/.core: pyproject.toml | %/.built
	@$(PIP) --no-build-isolation -e .
	@touch $@

# The requirements of an extra: pip finds that the package itself is installed.
.venv/.test .venv/.lint: pyproject.toml | .venv/.core
.venv-docs/.docs: pyproject.toml | .venv-docs/.core
.venv-bench/.bench: pyproject.toml .venv-bench/peers | .venv-bench/.core
.venv/.test .venv/.lint .venv-docs/.docs .venv-bench/.bench:
	@$(PIP) 'lrcore[$(@F:.%=%)]'
	@touch $@

# What builds, repairs and checks wheels.
.venv-wheel/.tools: pyproject.toml | .venv-wheel/bin/python
	@$(BIN)/python -c '$(LISTED)' dependency-groups wheel > $(@D)/requires.txt
	@$(PIP) -r $(@D)/requires.txt
	@touch $@

# Open MPI, and what the tests of several ranks need.
.venv-openmpi/.openmpi: pyproject.toml | .venv-openmpi/.core
	@$(BIN)/python -c '$(LISTED)' dependency-groups openmpi > $(@D)/packages.txt
	@$(PIP) -r $(@D)/packages.txt
	@touch $@

# The packages that lrcore has a room or an example for; torch has an environment of its own,
# and so has the thinc that is newer than spaCy's.
.venv-torch/.torch: pyproject.toml | .venv-torch/.core
.venv-packages/.packages: pyproject.toml | .venv-packages/.core
.venv-thinc/.thinc: pyproject.toml | .venv-thinc/.core
.venv-torch/.torch .venv-packages/.packages .venv-thinc/.thinc:
	@$(BIN)/python -c '$(LISTED)' dependency-groups $(@F:.%=%) > $(@D)/packages.txt
	@$(PIP) 'lrcore[test]' -r $(@D)/packages.txt
	@touch $@

# The libraries to compare with; those of bench/ and of tests/golden/ have an environment
# each.
.venv-bench/peers: bench/requirements.txt | .venv-bench/bin/python
.venv-goldens/peers: tests/golden/requirements.txt | .venv-goldens/bin/python
.venv-%/peers:
	@$(PIP) -r $<
	@touch $@
