"""Let pages link to files of the repository, as they do where it is read as files.

A link such as ``../../examples/problem.py`` leads out of docs/.  The site gets a copy
of such a file in ``_repository/``.  A link to a folder is one to its README.md, or to
its Makefile.
"""

import shutil
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
COPIES = "_repository"


def target_of(page: Path, link: str) -> Path | None:
    """Return the file of the repository to which a link on a page leads, or None."""
    path = (page.parent / link).resolve()
    if not path.exists():
        path = path.with_name(path.name + ".md")  # MyST cuts it off
    if path.is_dir():
        readme = path / "README.md"
        path = readme if readme.exists() else path / "Makefile"
    outside = path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs")
    return path if outside and path.is_file() else None


def link_to_copies(app, doctree):
    """Replace the links on a page that lead to such files by links to copies."""
    name = app.env.current_document.docname
    page = Path(app.env.doc2path(name))
    for link in list(doctree.findall(addnodes.pending_xref)):
        path = target_of(page, link["reftarget"])
        if link.get("reftype") != "myst" or path is None:
            continue
        copied = path.relative_to(ROOT)
        to = Path(app.outdir) / COPIES / copied
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        uri = "../" * name.count("/") + f"{COPIES}/{copied.as_posix()}"
        link.replace_self(nodes.reference("", "", *link.children, refuri=uri))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.connect("doctree-read", link_to_copies)
    return {"parallel_read_safe": True}
