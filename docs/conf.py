"""How Sphinx builds the site: ``make docs``."""

import os
import sys
from pathlib import Path

import lrcore

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "lrcore"
author = project_copyright = "the authors of lrcore"
release = version = lrcore.__version__

extensions = [
    "myst_nb",  # pages in Markdown, whose cells run while the site is built
    "numpydoc",
    "repository",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_extensions", "gallery", "scripts/*.ipynb"]

# --- pages ----------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
# Cells and scripts import the lrcore that this file has imported.
os.environ["PYTHONPATH"] = str(Path(lrcore.__file__).parents[1])

# --- the reference --------------------------------------------------------------------

autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# --- scripts --------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "scripts",
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
}

# --- the look -------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "lrcore"
html_static_path = ["_static"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
}
