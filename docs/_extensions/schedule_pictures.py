"""Pictures and tables of schedules, by lrcore.

::

    ```{schedules}
    Cosine(0.1, total=1000)
    OneCycle(0.1, total=1000).momentum()
    ```

shows a picture of each, with the call that makes it; `lrcore.schedules.parse` reads it.

docs/live/schedules.md draws tables, which this module writes to a script: of each
schedule in `SLIDERS`, the values at all settings of its sliders.
"""

import hashlib
import json
from base64 import b64encode
from itertools import product
from os.path import relpath
from pathlib import Path

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lrcore import plots
from lrcore.schedules import parse

# The words of a schedule, and the settings of each slider.  A run has 1,000 steps.
SLIDERS = {
    "Cosine(0.1, total={total}, end={end}).warmup({warmup})": {
        "total": (200, 400, 600, 800, 1000),
        "end": (0.0, 0.005, 0.01, 0.02, 0.05),
        "warmup": (0, 20, 50, 100, 200),
    },
    "WSD(0.1, total=1000, warmup_steps={warmup_steps}, decay_steps={decay_steps}, "
    'shape="{shape}")': {
        "warmup_steps": (0, 20, 50, 100, 200),
        "decay_steps": (100, 200, 300, 500, 800),
        "shape": ("linear", "cosine", "sqrt"),
    },
    'OneCycle(0.1, total=1000, pct_start={pct_start}, div={div}, shape="{shape}")': {
        "pct_start": (0.1, 0.2, 0.3, 0.4, 0.5, 0.7),
        "div": (1, 2, 5, 10, 25),
        "shape": ("cosine", "linear"),
    },
    "CosineRestarts(0.1, every={every}, mult={mult}, gamma={gamma})": {
        "every": (50, 100, 150, 200, 300),
        "mult": (1, 1.5, 2, 3),
        "gamma": (0.5, 0.7, 0.9, 1.0),
    },
    'Cyclic(0.01, 0.1, up={up}, down={down}, mode="{mode}")': {
        "up": (25, 50, 100, 200),
        "down": (25, 50, 100, 200),
        "mode": ("triangular", "triangular2"),
    },
    "FlatCosine(0.1, total=1000, pct_start={pct_start}, end={end})": {
        "pct_start": (0.0, 0.25, 0.5, 0.75, 0.9),
        "end": (0.0, 0.005, 0.01, 0.02, 0.05),
    },
    "StepDecay(0.1, gamma={gamma}, every={every})": {
        "gamma": (0.1, 0.2, 0.5, 0.7, 0.9),
        "every": (50, 100, 200, 300, 500),
    },
    "Exponential(0.1, gamma={gamma}).warmup({warmup})": {
        "gamma": (0.98, 0.99, 0.995, 0.998, 0.999),
        "warmup": (0, 20, 50, 100, 200),
    },
    "InverseSqrt(0.1, timescale={timescale}).warmup({warmup})": {
        "timescale": (1, 3, 10, 30, 100, 300),
        "warmup": (0, 20, 50, 100, 200),
    },
    "Polynomial(0.1, total=1000, power={power}, end={end})": {
        "power": (0.5, 1, 1.5, 2, 3, 5),
        "end": (0.0, 0.005, 0.01, 0.02, 0.05),
    },
}
STEPS = np.arange(0, 1101, 5)
SCRIPT = "schedule_tables.js"


def described(t, values) -> str:
    """Return a curve in words, for those who do not see it."""
    high, low = int(values.argmax()), int(values.argmin())
    return (
        f"A curve over {t[-1]} steps.  It begins at {values[0]:.3g}, is highest at "
        f"step {t[high]} with {values[high]:.3g}, lowest at step {t[low]} with "
        f"{values[low]:.3g}, and ends at {values[-1]:.3g}."
    )


class Schedules(SphinxDirective):
    """Pictures of schedules, side by side, each with its words."""

    has_content = True

    def run(self):
        folder = Path(self.env.doctreedir, "schedules")
        folder.mkdir(parents=True, exist_ok=True)
        cards = nodes.container(classes=["lrcore-schedules"])
        for words in filter(None, self.content):
            name = hashlib.sha256(words.encode()).hexdigest()[:16]
            path = folder / f"{name}.svg"
            label = "momentum" if words.endswith(".momentum()") else "learning rate"
            schedule = parse(words)
            steps = schedule._shown_steps
            picture = plots.schedules(schedule, steps, title="", label=label)
            picture.set_size_inches(5, 2.8)
            picture.savefig(path, metadata={"Date": None})
            (line,) = picture.axes[0].lines
            alt = described(line.get_xdata(), line.get_ydata())
            uri = "/" + relpath(path, self.env.srcdir)
            code = nodes.literal_block(words, words, language="python")
            cards += nodes.container("", code, nodes.image(uri=uri, alt=alt))
        return [cards]


def table(words: str, sliders: dict) -> dict:
    """Return the curves of a schedule at all settings of its sliders.

    The curves are float32, least byte first; the last slider changes fastest.
    """
    settings = [
        dict(zip(sliders, values, strict=True)) for values in product(*sliders.values())
    ]
    curves = np.array([parse(words.format(**each))(STEPS) for each in settings])
    assert curves.min() >= 0, words  # the picture begins at 0
    return {
        "words": words,
        "sliders": {name: [str(v) for v in values] for name, values in sliders.items()},
        "top": float(curves.max()),
        "curves": b64encode(curves.astype("<f4").tobytes()).decode(),
    }


def write_tables(app, error):
    """Write the tables of all schedules to a script of the site."""
    if error or app.builder.format != "html":
        return
    tables = [table(*each) for each in SLIDERS.items()]
    text = json.dumps(
        {"steps": STEPS.tolist(), "tables": tables}, separators=(",", ":")
    )
    Path(app.outdir, "_static", SCRIPT).write_text(f"const SCHEDULES = {text};\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension with Sphinx."""
    app.add_directive("schedules", Schedules)
    app.add_css_file("lrcore.css")
    app.connect("build-finished", write_tables)
    return {"parallel_read_safe": True}
