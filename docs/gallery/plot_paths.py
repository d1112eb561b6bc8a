"""
Optimizers in a ravine
======================

A ravine is steep across and nearly level along.  Plain gradient descent has to take a
rate that the steep side bears, and crawls along the floor.  A momentum helps, and so
does a rate for each direction, as Adam has it.
"""

import lrcore

# %%
# Gradient descent.  Above ``lr = 2 / 10``, where 10 is the curvature across the ravine,
# each step lands higher on the other side.
figure = lrcore.plots.surface(lrs=[0.02, 0.15, 0.205], title="SGD")

# %%
# With a momentum, steps along the floor add up, and those across it cancel.
figure = lrcore.plots.surface(
    opt=lambda w, lr: lrcore.SGD(w, lr=lr, momentum=0.7),
    lrs=[0.02, 0.05, 0.15],
    title="SGD with a momentum of 0.7",
)

# %%
# Adam divides each direction by its own mean gradient: at first it moves as fast along
# the ravine as across.
figure = lrcore.plots.surface(opt=lrcore.Adam, lrs=[0.02, 0.1, 0.5], title="Adam")
