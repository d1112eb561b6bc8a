"""Show the pictures that lrcore draws in pages that sphinx-gallery makes from scripts.

Functions of lrcore return a `matplotlib.figure.Figure`, which pyplot does not know of.
"""

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper


def scrape(block, block_vars, gallery_conf, **kwargs):
    """Save the figures of pyplot, and the one that the block has named ``figure``."""
    shown = matplotlib_scraper(block, block_vars, gallery_conf, **kwargs)
    figure = block_vars["example_globals"].pop("figure", None)
    if not isinstance(figure, Figure):
        return shown
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=150)
    axes = figure.axes[0]
    over = f"{axes.get_ylabel()} over {axes.get_xlabel()}"
    alt = figure.get_suptitle() or axes.get_title() or over
    return shown + figure_rst([path], gallery_conf["src_dir"], alt)
