"""What a search found: as a table, in pictures, and which dimension mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, get_args

from lrcore._shared import pictures
from lrcore._shared.domains import whole
from lrcore._shared.words import listed, shown
from lrcore.search._trial import Trial, short
from lrcore.space._dimension import Dimension, one_of
from lrcore.space._numbers import Integer, Real

if TYPE_CHECKING:
    import optuna
    from matplotlib.figure import Figure

Kind = Literal[
    "loss", "slice", "contour", "parallel", "history", "importance", "intermediate"
]


@dataclass(frozen=True)
class Search:
    """What a search found; printed, it is its table.

    Attributes
    ----------
    trials : tuple of Trial
        The best first: those that finished by their value, then those that were pruned
        (the longest first), then those that diverged.
    space : dict of lrcore.space.Dimension
        What was searched, by name.
    mode : {"min", "max"}
        Whether the value was to fall or to rise.
    study : optuna.Study or None
        Optuna's own, for whatever else it can do; None of a sweep.
    """

    trials: tuple[Trial, ...]
    space: Mapping[str, Dimension]
    mode: Literal["min", "max"] = "min"
    study: optuna.Study | None = field(default=None, repr=False, compare=False)

    @property
    def best(self) -> Trial:
        """The best trial.

        Raises
        ------
        ValueError
            None has finished with a finite value.
        """
        if not self.trials or self.trials[0].state != "finished":
            states = [t.state for t in self.trials]
            advice = "; try smaller learning rates" if states.count("diverged") else ""
            raise ValueError(
                f"best: expected a trial that finished, found {len(states)} trials of "
                f"which {states.count('diverged')} diverged{advice}"
            )
        return self.trials[0]

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best trial."""
        return dict(self.best.params)

    @property
    def best_value(self) -> float:
        """The value of the best trial."""
        return self.best.value

    @property
    def _finished(self) -> int:
        return sum(trial.state == "finished" for trial in self.trials)

    def table(self, most: int | None = None) -> str:
        """Return the trials as text, the best first.

        Parameters
        ----------
        most : int, optional
            How many rows, >= 1.  Default: all of them.
        """
        if most is not None:
            whole("most", most, "an int >= 1, or None", least=1)
        value = "loss" if self.mode == "min" else "value"
        rows = [["trial", *self.space, value, "steps", "seconds", ""]]
        for trial in self.trials[:most]:
            rows.append(
                [
                    str(trial.number),
                    *(short(trial.params[name]) for name in self.space),
                    short(trial.value),
                    str(len(trial.losses) or ""),
                    f"{trial.seconds:.1f}",
                    "" if trial.state == "finished" else trial.state,
                ]
            )
        if not any(row[-3] for row in rows[1:]):  # nothing was reported by steps
            rows = [row[:-3] + row[-2:] for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if i == len(row) - 1 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        left = len(self.trials) - len(rows) + 1
        return "\n".join(lines + ([f"and {left} more"] if left else []))

    def importance(self) -> dict[str, float]:
        """Return how much of the good values' variation each dimension explains.

        By Optuna's PED-ANOVA over the trials that finished; the largest first, 1 in
        sum.

        Raises
        ------
        ValueError
            Fewer than 2 trials have finished.

        References
        ----------
        Watanabe et al. 2023, "PED-ANOVA: efficiently quantifying hyperparameter
        importance in arbitrary subspaces".
        """
        if self._finished < 2:
            raise ValueError(
                "importance: expected at least 2 trials that finished, "
                f"found {self._finished}"
            )
        if self.study is None or len(self.space) == 1:
            return dict.fromkeys(self.space, 1.0 / len(self.space))
        from lrcore.search._views import importance

        single = importance(self.study)
        total = {
            name: sum(single.get(key, 0.0) for key in dimension.keys(name))
            for name, dimension in self.space.items()
        }
        return dict(sorted(total.items(), key=lambda item: -item[1]))

    def plot(
        self,
        path: str | PathLike[str] | None = None,
        title: str | None = None,
        *,
        kind: Kind | None = None,
    ) -> Figure:
        """Draw what was found.

        Parameters
        ----------
        path : str or path, optional
            A .png, .pdf or .svg to write.
        title : str, optional
            What stands over all.
        kind : str, optional
            "loss": the value against the one numeric dimension of the space, on its
            scale (a learning rate's is logarithmic), with the trials that were pruned
            and that diverged.  The others are Optuna's own pictures: "slice" (the value
            against each dimension), "contour", "parallel", "history", "importance",
            "intermediate" (the losses by step).  Default: "loss" where it can be
            drawn, else "slice".

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            The path has another suffix, there is no such picture, or nothing to draw.
        ImportError
            matplotlib is missing.
        """
        one = [d for d in self.space.values() if isinstance(d, (Real, Integer))]
        alone = len(one) == len(self.space) == 1
        if kind is None:
            kind = "loss" if alone else "slice"
        one_of("kind", kind, get_args(Kind))
        if kind == "loss" and not alone:
            raise ValueError(
                "kind: expected another than 'loss', which draws one dimension that is "
                f"a number, found [{listed(self.space)}]; 'slice' draws each"
            )
        if kind != "loss" and self.study is None:
            raise ValueError(f"kind: expected 'loss' of a sweep, found {shown(kind)}")
        if not self.trials:
            raise ValueError("plot: expected at least one trial, found none")
        if kind == "intermediate" and not any(t.losses for t in self.trials):
            raise ValueError(
                "kind: expected another than 'intermediate', as no objective yielded "
                "losses by steps"
            )
        if kind not in ("loss", "intermediate") and not self._finished:
            raise ValueError(
                f"plot: expected a trial that finished, as {kind!r} draws those, found "
                f"{len(self.trials)} that did not"
            )
        pictures.check_path(path)
        pictures.require()
        from lrcore.search import _picture

        if self.study is None or kind == "loss":
            figure = _picture.loss(self.trials, self.space, self.mode)
        else:
            figure = _picture.of_study(self.study, kind, self.trials, self.mode)
        if title:
            figure.suptitle(title)
        pictures.save(figure, path)
        return figure

    def __str__(self) -> str:
        return self.table()
