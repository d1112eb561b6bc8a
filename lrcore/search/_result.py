"""The result of a search: its trials, their table, pictures and importance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, get_args

from lrcore._shared import pictures
from lrcore._shared.domains import whole
from lrcore._shared.words import shown
from lrcore.search import _table
from lrcore.search._trial import Trial
from lrcore.space._dimension import Dimension, one_of

if TYPE_CHECKING:
    import optuna
    from matplotlib.figure import Figure
    from pandas import DataFrame

_SHOWN = 20
"""The trials that a notebook shows."""

Kind = Literal[
    "loss", "slice", "contour", "parallel", "history", "importance", "intermediate"
]


@dataclass(frozen=True)
class Search:
    """The trials of a search.  ``print`` shows their table, and so do notebooks.

    Attributes
    ----------
    trials : tuple of Trial
        The best first: the finished trials by their value, then the pruned (the longest
        first), the diverged and the failed ones.
    space : dict of lrcore.space.Dimension
        The dimensions that were searched, by name.
    mode : {"min", "max"}
        Whether the lowest or the highest value is the best.
    study : optuna.Study or None
        Optuna's study, for anything else that Optuna can do; None for a sweep.
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
            No trial has finished with a finite value.
        """
        if not self.trials or self.trials[0].state != "finished":
            states = [t.state for t in self.trials]
            advice = "; try smaller learning rates" if states.count("diverged") else ""
            failed = states.count("failed")
            raise ValueError(
                f"best: expected a trial that finished, found {len(states)} trials of "
                f"which {states.count('diverged')} diverged"
                f"{f' and {failed} failed' if failed else ''}{advice}"
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
            The number of rows, >= 1.  Default: all.

        Returns
        -------
        str
            A line for each trial, below one of headings.

        Raises
        ------
        TypeError, ValueError
            `most` is no int >= 1.
        """
        if most is not None:
            whole("most", most, "an int >= 1, or None", least=1)
        return _table.text(self.trials, self.space, self.mode, most)

    def to_dataframe(self) -> DataFrame:
        """Return the trials as a table of pandas, the best first.

        Columns: ``number``, ``state``, ``value``, ``params_NAME`` for each dimension,
        ``steps`` (the numbers that the objective yielded) and ``seconds``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            pandas is missing.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError(
                "to_dataframe needs pandas: pip install pandas; `trials` has the same "
                "without it"
            ) from None
        return pd.DataFrame(_table.columns(self.trials, self.space))

    def importance(self) -> dict[str, float]:
        """Return the importance of each dimension for a good value, the largest first.

        The sum is 1.  By Optuna's PED-ANOVA over the trials that finished; trials that
        were pruned, or that a sampler chose by former ones, distort it.

        Returns
        -------
        dict of float
            The importance by the name of the dimension.

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
        """Draw the trials.

        Parameters
        ----------
        path : str or path, optional
            A .png, .pdf or .svg to write.
        title : str, optional
            A title of the whole picture.
        kind : str, optional
            "loss" (the default): the value against each parameter, a panel each, in the
            parameter's own units and on its scale, over the range that was searched.
            Every trial is drawn: finished and pruned ones at their value; at the edge
            those that diverged or failed, or whose loss is beyond 1,000 times the
            median.  A star marks the best trial, and a band the range of the parameter
            in the best tenth of the finished trials: where it is as wide as the axis,
            the parameter matters little.  `importance` is not drawn, as trials that
            were pruned, or that a sampler chose by former ones, distort it.
            The others are Optuna's own pictures: "slice", "contour", "parallel",
            "history", "importance", "intermediate" (the losses by step).

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            The path has another suffix, there is no such picture, or no trial to draw.
        ImportError
            matplotlib is missing.
        """
        kind = "loss" if kind is None else kind
        one_of("kind", kind, get_args(Kind))
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
            figure.suptitle(pictures.title(title), parse_math=False)
        pictures.save(figure, path)
        return figure

    def __str__(self) -> str:
        return self.table()

    def __hash__(self) -> int:  # without `space`, a dict
        return hash((self.trials, self.mode))

    def _repr_html_(self) -> str:
        return _table.html(self.trials, self.space, self.mode, _SHOWN)
