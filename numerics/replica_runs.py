"""Runs of several replicas of a sample, whatever the spins: when they measure, what is streamed, how it is averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.series import Series

__all__ = ["Observer", "averaged", "interval", "overlap_bins", "walked"]

Floats = NDArray[np.float64]
_MEASUREMENTS = 1024  # per run, where `_PAUSE` allows: neighbouring sweeps say little that is new
_PAUSE = 64  # sweeps between measurements, at most: in between nothing is told and nothing can be stopped
_STRETCH = 64  # measurements
_BINS = 50  # of P(q), about


def interval(sweeps: int) -> int:
    """Return the sweeps between two measurements."""
    return min(-(-sweeps // _MEASUREMENTS), _PAUSE)


def walked(
    walk: Callable[..., Any],
    spins: NDArray[Any],
    *,
    sweeps: int,
    every: int,
    observer: Observer,
    progress: Callable[[int], None] | None,
) -> Any:
    """Run walkers from `spins`, measuring at whole intervals; return the trajectory.

    `walk` is :func:`numerics.montecarlo.sample`, or its like for other spins, with all that does not change.
    """
    rest = sweeps % every
    if rest:  # at the start, where nothing is averaged
        spins = walk(spins, sweeps=rest, every=rest).spins
        if progress is not None:
            progress(rest)
    return walk(
        spins,
        sweeps=sweeps - rest,
        every=every,
        observe=observer,
        first_sweep=rest,
        progress=None if progress is None else (lambda label, done, total: progress(every)),
    )


def averaged(
    series: dict[str, Series], *, others: int, per_energy: float, own: float | None = None, weight: float = 1.0
) -> dict[str, float]:
    """Averages of a sample over replicas and the second half of the run.

    Parameters
    ----------
    series : dict of str to Series
        With the energy.
    others : int
        Stored examples but for the condensed ones; of their overlaps is u2.
    per_energy : float
        What the power of all stored examples has less of the energy.
    own : float, optional
        That power at energy 0, if it is not measured as 'own'.
    weight : float
        Of 'stored', the measured power of the condensed ones.
    """
    means = {label: float(s.chain_means().mean()) for label, s in series.items()}
    row: dict[str, float] = {label: means[label] for label in ("m", "overlap", "t", "p_d") if label in means}
    if others:
        # The sum over all stored examples is in the energy: no product with them is needed.
        total = (means["own"] if own is None else own) - per_energy * means["energy"]
        row["u2"] = (total - weight * means.get("stored", 0.0)) / others
    return row


def overlap_bins(N: int) -> Floats:
    """Return the edges of the bins of P(q), (B + 1,): symmetric, equally many of the values -1, -1 + 2/N, ..., 1 in
    each but for what is left to the two ends.

    Examples
    --------
    >>> overlap_bins(4).tolist()
    [-1.25, -0.75, -0.25, 0.25, 0.75, 1.25]
    """
    width = max(1, N // _BINS) | 1
    inner = np.arange(width, N + 1, 2 * width) if N % 2 == 0 else np.arange(0, N + 1, 2 * width)
    upper = np.append(inner, N + 1)
    return np.unique(np.concatenate([-upper, upper])) / N


class Observer:
    """Measures the replicas' spins, and counts the overlaps of the second half.

    `series` is complete after `flush`: measurements are added in stretches, as each addition has its price.

    Parameters
    ----------
    measured : callable
        Maps the spins of all replicas to arrays by name; 'pairs' are the overlaps of all pairs a < b.
    N, replicas, measurements, every : int
        Spins, runs, how often it will be called, and the sweeps between two calls.
    """

    def __init__(
        self, measured: Callable[[Any], dict[str, Floats]], *, N: int, replicas: int, measurements: int, every: int
    ) -> None:
        self.measured = measured
        self.first, self.seen, self.every = measurements // 2, 0, every
        a, b = np.triu_indices(replicas, 1)
        self.disjoint = np.flatnonzero((a % 2 == 0) & (b == a + 1))
        self.edges = overlap_bins(N)
        self.histogram = np.zeros(self.edges.size - 1)
        self.series: dict[str, Series] = {}
        self.rows: dict[str, list[Floats]] = {}

    def __call__(self, spins: Any) -> dict[str, Floats]:
        for name, values in self.measured(spins).items():
            self.rows.setdefault(name, []).append(values)
        self.seen += 1
        if self.seen % _STRETCH == 0:
            self.flush()
        return {}

    def flush(self) -> None:
        """Add what was measured since the last time to the series."""
        if not self.rows:
            return
        pairs = np.stack(self.rows["pairs"])
        before = self.seen - len(pairs)
        self.histogram += np.histogram(pairs[max(0, self.first - before) :], self.edges)[0]
        derived = {"q": np.abs(pairs), "q2": pairs**2, "partners": np.abs(pairs[:, self.disjoint])}
        for name, rows in ({label: np.stack(values) for label, values in self.rows.items()} | derived).items():
            if name not in self.series:
                self.series[name] = Series(rows.shape[1], every=self.every)
            self.series[name].extend(rows)
        self.rows.clear()
