"""The one table of optimizers that the tests are parametrised over.

A row: the class, and hyper-parameters that choose a rule or a path through it.  The
golden trajectories are made from the same rows (golden/make.py), where lrcore is not
installed.
"""

from typing import NamedTuple


class Row(NamedTuple):
    name: str
    kwargs: dict
    golden: str | None = "torch"  # the library whose trajectories it is held to

    @property
    def label(self):
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.kwargs.items())])


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
    Row("NAdamW", {"lr": 0.02}, golden=None),
    Row("RAdam", {"lr": 0.02}),
    Row("RAdam", {"lr": 0.02, "betas": (0.8, 0.9)}),
    Row("RAdamW", {"lr": 0.02}, golden=None),
    Row("Rprop", {"lr": 0.01}),
    Row("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-2, 0.15)}),
    Row("RMSprop", {"lr": 0.01}),
    Row("RMSprop", {"lr": 0.01, "centered": True}),
    Row("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    Row("RMSprop", {"lr": 0.01, "alpha": 0.9, "centered": True, "momentum": 0.9}),
    Row("Adagrad", {"lr": 0.1}),
    Row("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1}),
    Row("SGDW", {"lr": 0.05, "momentum": 0.9}, golden=None),
    Row("ASGD", {"lr": 0.05, "t0": 10}, golden=None),
    Row("Lion", {"lr": 0.01}, golden=None),
    Row("SignSGD", {"lr": 0.01}, golden=None),
    Row("Signum", {"lr": 0.01}, golden=None),
    Row("AdaBelief", {"lr": 0.02}, golden=None),
    Row("Yogi", {"lr": 0.02}, golden=None),
    Row("LaProp", {"lr": 0.02}, golden=None),
    Row("ADOPT", {"lr": 0.02}, golden=None),
    Row("AdEMAMix", {"lr": 0.02, "betas": (0.9, 0.99, 0.999)}, golden=None),
    Row("AdEMAMix", {"lr": 0.02, "t_alpha_beta3": 40.0}, golden=None),
    Row("Adan", {"lr": 0.02}, golden=None),
    Row("Adan", {"lr": 0.02, "no_prox": True}, golden=None),
    Row("FTRL", {"lr": 0.1, "l1": 0.01, "l2": 0.01}, golden=None),
    Row("MADGRAD", {"lr": 0.02}, golden=None),
    Row("LAMB", {"lr": 0.02}, golden=None),
    Row("LARS", {"lr": 1.0, "momentum": 0.9}, golden=None),
    Row("NovoGrad", {"lr": 0.02}, golden=None),
    Row("Adadelta", {"lr": 1.0}),
    Row("Adadelta", {"lr": 0.5, "rho": 0.95, "eps": 1e-4}),
]

TORCH_ROWS = [row for row in ROWS if row.golden == "torch"]
