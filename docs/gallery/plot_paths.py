"""
Optimizers in a ravine
======================

A ravine is a valley that is steep across and nearly level along its floor.  Plain
gradient descent needs a rate that is low enough for the steep direction, and is slow
along the floor.  A momentum helps, and so do steps of the same length in all
directions, which Adam takes.

The pictures show the valley from above, with lines of equal loss.  Each path begins at
the circle and ends at the star.
"""

import lrcore

# %%
# Gradient descent.  At a low rate it does not arrive.  Above ``lr = 2 / 10``, where 10
# is the curvature across the ravine, each step lands higher on the other side.
figure = lrcore.plots.surface(lrs=[0.02, 0.15, 0.205], title="SGD")

# %%
# With a momentum, steps along the floor add up, and those across it cancel.
figure = lrcore.plots.surface(
    opt=lambda w, lr: lrcore.SGD(w, lr=lr, momentum=0.7),
    lrs=[0.02, 0.05, 0.15],
    title="SGD with a momentum of 0.7",
)

# %%
# Adam divides the gradient in each direction by its own running size: at first it moves
# as fast along the ravine as across.  At a high rate it goes past the minimum, and
# returns.
figure = lrcore.plots.surface(opt=lrcore.Adam, lrs=[0.02, 0.1, 0.5], title="Adam")
