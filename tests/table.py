"""The one table of optimizers that the tests are parametrised over.

A row: the class, and hyper-parameters that choose a rule or a path through it.  The
golden trajectories are made from the same rows (golden/make.py), where lrcore is not
installed.
"""

from math import prod
from typing import NamedTuple


class Row(NamedTuple):
    name: str
    kwargs: dict
    golden: str | None = "torch"  # the library whose trajectories it is held to
    shapes: tuple = ((3, 5), (7,))  # of the parameters there, 22 elements in all
    recorded: str | None = None  # the state recorded there; None: the parameters
    lr_changes: bool = True  # from step to step
    float32_bias: float = 0.0  # of its float32 steps, relative, in epsilons

    @property
    def label(self):
        label = "-".join([self.name, *(f"{k}={v}" for k, v in self.kwargs.items())])
        if self.shapes != Row._field_defaults["shapes"]:
            label += f"-shapes={self.shapes}"
        return f"{label}:{self.recorded}" if self.recorded else label

    def arrays(self, elements):
        """Return arrays of the shapes, views of these elements in a row."""
        found, first = [], 0
        for shape in self.shapes:
            found.append(elements[first : first + prod(shape)].reshape(shape))
            first += prod(shape)
        return found

    def lrs(self, factors):
        """Return the learning rate of each step."""
        return [self.kwargs["lr"] * (f if self.lr_changes else 1.0) for f in factors]


MATRICES = ((2, 4), (7, 2))
THREE_D = ((2, 2, 3), (10,))

# Keras takes 1 - b2^t of b2 rounded to float32: off by epsilon / (1 - b2) at most, and
# its root by half of that, the same way in each step.
KERAS_BIAS = 0.5 / (1 - 0.999)

# prodigyopt makes d of two sums over 22 elements in float32, a rounding a term.
FLOAT32_SUMS = 2 * 22.0


def by(library):
    """Return what makes a row held to a library that is a convention of lrcore's."""

    def row(name, kwargs, **more):
        return Row(name, {**kwargs, "convention": library}, library, **more)

    return row


# Optax makes delta of the params, which has to be exact there.
MECHANIC = {"mechanic": True, "mechanic_s_init": 0.25}

keras, optax = by("keras"), by("optax")

ROWS = [
    Row("SGD", {"lr": 0.05}),
    Row("SGD", {"lr": 0.05, "momentum": 0.9}),
    Row("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}),
    Row("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    Row("Adam", {"lr": 0.02}),
    Row("Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4}),
    Row("Adam", {"lr": 0.02, "amsgrad": True}),
    Row("AdamW", {"lr": 0.02}),
    Row("AdamW", {"lr": 0.02, "amsgrad": True}),
    Row("Adamax", {"lr": 0.02}),
    Row("NAdam", {"lr": 0.02}),
    Row("NAdam", {"lr": 0.02, "betas": (0.7, 0.95), "momentum_decay": 0.5}),
    Row("NAdamW", {"lr": 0.02}),
    Row("RAdam", {"lr": 0.02}),
    Row("RAdam", {"lr": 0.02, "betas": (0.8, 0.9)}),
    Row("RAdamW", {"lr": 0.02}),
    Row("Rprop", {"lr": 0.01}),
    Row("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-2, 0.15)}),
    Row("RMSprop", {"lr": 0.01}),
    Row("RMSprop", {"lr": 0.01, "centered": True}),
    Row("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    Row("RMSprop", {"lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.9}),
    Row("Adagrad", {"lr": 0.1}),
    Row("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1}),
    Row("Adadelta", {"lr": 1.0}),
    Row("Adadelta", {"lr": 0.5, "rho": 0.95, "eps": 1e-4}),
    Row("ASGD", {"lr": 0.05}),
    Row("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 5.0}),
    Row("ASGD", {"lr": 0.05, "lambd": 0.1, "alpha": 0.6, "t0": 5.0}, recorded="ax"),
    Row("Adafactor", {"lr": 0.05}),
    Row(
        "Adafactor",
        {"lr": 0.3, "beta2_decay": -0.5, "eps": (1e-2, 1e-2), "d": 1.5},
        shapes=THREE_D,
    ),
    Row("Muon", {"lr": 0.02}, shapes=MATRICES),
    Row(
        "Muon",
        {"lr": 0.02, "momentum": 0.8, "nesterov": False, "ns_steps": 3},
        shapes=MATRICES,
    ),
    Row("Muon", {"lr": 0.02, "adjust_lr_fn": "match_rms_adamw"}, shapes=MATRICES),
    Row("SGDW", {"lr": 0.05}, "timm"),
    Row("SGDW", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3}, "timm"),
    Row("SGDW", {"lr": 0.05, "momentum": 0.9, "nesterov": True}, "timm"),
    Row("Lion", {"lr": 0.01}, "timm"),
    Row("Lion", {"lr": 0.01, "betas": (0.7, 0.95)}, "timm"),
    Row("Adan", {"lr": 0.02}, "timm"),
    Row("Adan", {"lr": 0.02, "betas": (0.9, 0.8, 0.95), "no_prox": True}, "timm"),
    Row("AdaBelief", {"lr": 0.02}, "timm"),
    Row("AdaBelief", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4}, "timm"),
    Row("ADOPT", {"lr": 0.02, "decoupled_weight_decay": False}, "timm"),
    Row("ADOPT", {"lr": 0.02, "decoupled_weight_decay": True, "eps": 0.1}, "timm"),
    Row("LaProp", {"lr": 0.02}, "timm", lr_changes=False),
    Row("LaProp", {"lr": 0.02, "eps": 1e-2}, "timm", lr_changes=False),
    Row("MADGRAD", {"lr": 0.02}, "timm"),
    Row("MADGRAD", {"lr": 0.02, "momentum": 0.0, "eps": 1e-2}, "timm"),
    Row("MADGRAD", {"lr": 0.02, "decoupled_weight_decay": True}, "timm"),
    Row("LAMB", {"lr": 0.02}, "timm"),
    Row("LAMB", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-2}, "timm"),
    Row("LARS", {"lr": 5.0, "momentum": 0.0}, "timm"),
    Row("LARS", {"lr": 5.0, "momentum": 0.9, "dampening": 0.3}, "timm"),
    Row(
        "LARS",
        {"lr": 5.0, "momentum": 0.9, "nesterov": True, "trust_coefficient": 2e-3},
        "timm",
    ),
    Row("NovoGrad", {"lr": 0.01}, "timm"),
    Row("NovoGrad", {"lr": 0.05, "grad_averaging": True, "eps": 0.1}, "timm"),
    Row("Yogi", {"lr": 0.02}, "pytorch_optimizer"),
    Row(
        "Yogi",
        {"lr": 0.02, "betas": (0.8, 0.95), "initial_accumulator_value": 0.01},
        "pytorch_optimizer",
    ),
    Row("AdEMAMix", {"lr": 0.02}, "pytorch_optimizer"),
    Row(
        "AdEMAMix",
        {"lr": 0.02, "betas": (0.8, 0.95, 0.99), "alpha": 3.0, "t_alpha_beta3": 40},
        "pytorch_optimizer",
    ),
    Row("SM3", {"lr": 0.1, "momentum": 0.0}, "pytorch_optimizer"),
    Row("SM3", {"lr": 0.1, "momentum": 0.9}, "pytorch_optimizer", shapes=THREE_D),
    Row("FTRL", {"lr": 0.1, "beta": 0.0}, "pytorch_optimizer"),
    Row(
        "FTRL",
        {
            "lr": 0.1,
            "beta": 1.0,
            "l1": 0.1,
            "l2": 0.5,
        },
        "pytorch_optimizer",
    ),
    Row("SignSGD", {"lr": 0.01, "decoupled_weight_decay": True}, "pytorch_optimizer"),
    Row("Signum", {"lr": 0.01, "decoupled_weight_decay": True}, "pytorch_optimizer"),
    Row("SGDScheduleFree", {"lr": 0.5}, "schedulefree"),
    Row("SGDScheduleFree", {"lr": 0.5, "momentum": 0.5}, "schedulefree", recorded="x"),
    Row("AdamWScheduleFree", {"lr": 0.02}, "schedulefree"),
    Row(
        "AdamWScheduleFree",
        {"lr": 0.02, "betas": (0.8, 0.95), "r": 1.0, "weight_lr_power": 1.0},
        "schedulefree",
        recorded="x",
    ),
    Row("SGDHD", {"lr": 0.05, "hypergrad_lr": 1e-3}, None),
    Row("AdamHD", {"lr": 0.02, "hypergrad_lr": 1e-3}, None),
    Row("AdamHD", {"lr": 0.02, "hypergrad_lr": 1e-3, "betas": (0.8, 0.95)}, None),
    Row("DoG", {"lr": 1.0, "reps_rel": 0.01}, "optax"),
    Row("LDoG", {"lr": 1.0, "reps_rel": 0.01}, "optax"),
    Row("DoWG", {"lr": 1.0}, "optax"),
    Row("DoWG", {"lr": 0.5, "eps": 0.01}, "optax"),
    Row("Prodigy", {"lr": 1.0, "d0": 1e-3}, "prodigyopt", float32_bias=FLOAT32_SUMS),
    Row(
        "Prodigy",
        {
            "lr": 1.0,
            "betas": (0.8, 0.95),
            "d0": 1e-2,
            "d_coef": 4.0,
            "growth_rate": 1.1,
            "use_bias_correction": True,
            "safeguard_warmup": True,
        },
        "prodigyopt",
    ),
    Row("DAdaptAdam", {"lr": 1.0, "d0": 1e-3}, "dadaptation"),
    Row(
        "DAdaptAdam",
        {
            "lr": 1.0,
            "betas": (0.95, 0.99),
            "d0": 1e-2,
            "growth_rate": 1.1,
            "use_bias_correction": True,
            "decoupled_weight_decay": True,
        },
        "dadaptation",
    ),
    Row("DAdaptSGD", {"lr": 1.0, "d0": 1e-3}, "dadaptation"),
    Row(
        "DAdaptSGD",
        {"lr": 1.0, "momentum": 0.9, "d0": 1e-2, "growth_rate": 1.1},
        "dadaptation",
    ),
    keras("SGD", {"lr": 0.05}),
    keras("SGD", {"lr": 0.05, "momentum": 0.9}),
    keras("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    keras("Adam", {"lr": 0.02}, float32_bias=KERAS_BIAS),
    keras("Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4}),
    keras("Adam", {"lr": 0.02, "amsgrad": True}, float32_bias=KERAS_BIAS),
    keras(
        "Adam", {"lr": 0.02, "ema_decay": 0.9}, recorded="ema", float32_bias=KERAS_BIAS
    ),
    keras("AdamW", {"lr": 0.02}, float32_bias=KERAS_BIAS),
    keras("Adamax", {"lr": 0.02}),
    keras("NAdam", {"lr": 0.02}, float32_bias=KERAS_BIAS),
    keras("RMSprop", {"lr": 0.01}),
    keras("RMSprop", {"lr": 0.01, "centered": True}),
    keras("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    keras("RMSprop", {"lr": 0.01, "alpha": 0.95, "centered": True, "momentum": 0.9}),
    keras("Adagrad", {"lr": 0.1}),
    keras("Adadelta", {"lr": 1.0}),
    keras("FTRL", {"lr": 0.1}),
    keras("FTRL", {"lr": 0.1, "beta": 1.0, "l1": 0.1, "l2": 0.5}),
    keras("Lion", {"lr": 0.01}),
    keras("Adafactor", {"lr": 0.05}),
    keras(
        "Adafactor",
        {"lr": 0.3, "beta2_decay": -0.5, "eps": (1e-2, 1e-2), "d": 1.5},
        shapes=THREE_D,
    ),
    keras("LAMB", {"lr": 0.02}),
    keras("Muon", {"lr": 0.02}, shapes=MATRICES),
    keras(
        "Muon",
        {"lr": 0.02, "momentum": 0.8, "nesterov": False, "ns_steps": 3},
        shapes=MATRICES,
    ),
    optax("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    optax("Adam", {"lr": 0.02}),
    optax("Adam", {"lr": 0.02, "eps_root": 1e-4}),
    optax("Adam", {"lr": 0.02, "amsgrad": True}),
    optax("Adam", {"lr": 0.02, "lookahead_steps": 5}),
    optax("AdamW", {"lr": 0.02}),
    optax("Adam", {"lr": 0.5, **MECHANIC}),
    optax("AdamW", {"lr": 0.1, **MECHANIC, "mechanic_decay": 0.5}),
    optax("Lion", {"lr": 0.1, **MECHANIC}),
    optax("Adamax", {"lr": 0.02}),
    optax("Adamax", {"lr": 0.02, "decoupled_weight_decay": True}),
    optax("NAdam", {"lr": 0.02}),
    optax("NAdamW", {"lr": 0.02}),
    optax("RAdam", {"lr": 0.02}),
    optax("RMSprop", {"lr": 0.01}),
    optax("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    optax("RMSprop", {"lr": 0.01, "centered": True}),
    optax("RMSprop", {"lr": 0.01, "alpha": 0.95, "centered": True, "momentum": 0.9}),
    optax("Adagrad", {"lr": 0.1}),
    optax("Adadelta", {"lr": 1.0}),
    optax("Lion", {"lr": 0.01}),
    optax("AdaBelief", {"lr": 0.02}),
    optax("Yogi", {"lr": 0.02}),
    optax("LAMB", {"lr": 0.02}),
    optax("NovoGrad", {"lr": 0.01}),
    optax("SM3", {"lr": 0.1, "momentum": 0.9}),
    # Its losses are the numbers that the others take as rates.
    optax("SPS", {"lr": 1.0, "max_lr": 0.3, "f_min": 0.6}),
    optax("SignSGD", {"lr": 0.01}),
    optax("Signum", {"lr": 0.01}),
    optax("Muon", {"lr": 0.02}, shapes=MATRICES),
    optax(
        "Muon",
        {"lr": 0.02, "momentum": 0.8, "nesterov": False, "ns_steps": 3},
        shapes=MATRICES,
    ),
]
