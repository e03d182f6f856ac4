"""Has a run forgotten its start?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.series import Series

__all__ = ["Equilibration", "equilibration"]


@dataclass(frozen=True)
class Equilibration:
    """Verdict on one observable of one run.

    Attributes
    ----------
    equilibrated : bool
    verdict : {'equilibrated', 'unequilibrated', 'too short'}
    r_hat : float or None
    tau : float or None
        Sweeps.
    ess : float or None
    log_bins : tuple of (value, error)
    message : str
    """

    equilibrated: bool
    verdict: str
    r_hat: float | None
    tau: float | None
    ess: float | None
    log_bins: tuple[tuple[float, float | None], ...]
    message: str

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {**vars(self), "log_bins": [list(pair) for pair in self.log_bins]}


def equilibration(series: Series | ArrayLike, *, false_alarm: float = 1e-3) -> Equilibration:
    """Judge a run; an array is (R, n)."""
    run = series if isinstance(series, Series) else Series.of(series)
    raise NotImplementedError(run.n, false_alarm, np.nan, NDArray)
