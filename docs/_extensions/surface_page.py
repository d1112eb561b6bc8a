"""The live surface: ``{surface}`` on a page is what docs/_static/live_surface.js fills.

Its module stands in a script, packed, as a browser does not fetch files beside a page
that is a file itself.
"""

import gzip
from base64 import b64encode
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from webassembly import compiled

ROOT = Path(__file__).parents[2]


PAGE = """
<div class="lrcore-live" id="lrcore-surface">
  <p class="lrcore-choices">
    <label>Loss <select name="surface"></select></label>
    <code class="formula"></code>
    <label>Optimizer <select name="rule"></select></label>
  </p>
  <div class="lrcore-sliders">
    <label>learning rate <output></output>
      <input type="range" name="rate" min="-4" max="0.5" step="0.05" value="-1">
    </label>
  </div>
  <canvas width="720" height="480" tabindex="0" role="application"></canvas>
  <p class="lrcore-choices">
    <button name="again">Back to the start</button>
    <button name="one">One step</button>
    <button name="many">200 steps</button>
  </p>
  <p role="status" aria-live="polite"></p>
  <noscript><p>This page needs JavaScript.</p></noscript>
</div>
<script src="../_static/surface_module.js" defer></script>
<script src="../_static/live_surface.js" defer></script>
"""
WITHOUT = "This site was built without clang's WebAssembly, so that nothing moves here."


class Surface(SphinxDirective):
    """The place of the live surface, or a note that it is missing."""

    def run(self):
        module = compiled(ROOT / "build/objects")
        if module is None:
            return [nodes.note("", nodes.paragraph("", WITHOUT))]
        folder = Path(self.env.app.outdir, "_static")
        folder.mkdir(parents=True, exist_ok=True)
        packed = b64encode(gzip.compress(module, mtime=0)).decode()
        (folder / "surface_module.js").write_text(f'const SURFACE = "{packed}";\n')
        return [nodes.raw("", PAGE, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.add_directive("surface", Surface)
    return {"parallel_read_safe": True}
