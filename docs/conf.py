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
    "optimizer_pages",
    "public_names",
    "repository",
    "schedule_pictures",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "surface_page",
]
exclude_patterns = [
    *("_extensions", "gallery", "scripts/*.ipynb"),
    *("sg_execution_times.rst", "scripts/sg_execution_times.rst"),
]

# --- pages ----------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
# Cells and scripts import the lrcore that this file has imported.
os.environ["PYTHONPATH"] = str(Path(lrcore.__file__).parents[1])
os.environ["LRCORE_ROOT"] = str(HERE.parent)

# --- the reference --------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say what is taken
autosummary_generate = False  # public_names does it
default_role = "py:obj"  # of docstrings: a name in single backticks
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
templates_path = ["_templates"]

# --- scripts --------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "scripts",
    "image_scrapers": ("figures.scrape",),
    "write_computation_times": False,
    "within_subsection_order": "FileNameSortKey",
}

# --- the look -------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "lrcore"
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["lrcore.css"]
html_js_files = [("pictures.js", {"defer": "defer"})]
html_sidebars = {"benchmarks": []}  # it has no pages below it
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
}
