"""Minima of the energy of vector spins in disorder samples: their local fields, Hessians and order parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics import rng, vector_disorder
from numerics.alignment import align
from numerics.arguments import check_count
from numerics.curves import Curve, Curves, average_in_bins, histogram
from numerics.dynamics import chosen
from numerics.estimate import Measurement, fraction, mean
from numerics.provenance import provenance
from numerics.riemannian import LARGEST_DENSE, METHODS, MinimumSpectrum, spectrum_of_minimum
from numerics.simulate import parameters_of
from numerics.task import Task, task
from numerics.vector_interactions import vector_interactions
from numerics.vector_observables import measure
from numerics.vector_starts import named_start
from theory.ensembles import IsotropicPatterns, VectorRandomFeaturePatterns
from theory.errors import InvalidInput

__all__ = ["Minima", "minima", "planned"]

Array = NDArray[np.float64]

_CONDENSED = 0.5  # overlap of a retrieved pattern, at least


@dataclass(frozen=True, eq=False)
class Minima:
    """Minima of one point.

    Attributes
    ----------
    model : Model
    plan : Task
        Sizes, start and seed.
    spectra : tuple of MinimumSpectrum
        One per sample.
    fields : (samples, N) array
        Lengths of the local fields.
    values : dict of list of float
        Order parameters as in records of simulations, per sample, and `largest_overlap` (of a random start's end with a
        stored pattern, for tensor couplings), `smallest` (eigenvalue), `inverse_square` (mean
        of ``lambda^{-2}``, of all eigenvalues), `tangential` (largest tangential field), `sweeps`, `minimum` (1 if the
        verdict is 'minimum').
    seconds : float
        Wall time.
    """

    model: Any
    plan: Task
    spectra: tuple[MinimumSpectrum, ...]
    fields: Array
    values: dict[str, list[float]]
    seconds: float

    @property
    def samples(self) -> int:
        """Number of disorder samples."""
        return len(self.spectra)

    @property
    def loads(self) -> dict[str, float]:
        """Realised loads."""
        N = self.plan.N
        return {"alpha": self.plan.P / N} | ({"alpha_d": self.plan.D / N} if self.plan.D else {})

    @property
    def measurements(self) -> dict[str, Measurement]:
        """Averages over samples; `minimum` is the fraction that are minima."""
        return {name: (fraction if name == "minimum" else mean)(v) for name, v in self.values.items() if v}

    @property
    def verdicts(self) -> dict[str, int]:
        """How many samples have which verdict."""
        found = [s.verdict for s in self.spectra]
        return {word: found.count(word) for word in sorted(set(found))}

    @property
    def faithful(self) -> NDArray[np.bool_]:
        """Whether a sample stayed in its state: near the start, or, from a random one, far from all stored patterns.

        In small systems a random start can end in a stored pattern, and a pattern be lost below its capacity.
        """
        if self.plan.start == "random":
            return np.array(self.values["largest_overlap"]) < _CONDENSED
        return np.array(self.values["overlap"]) > _CONDENSED

    def restricted(self, kept: NDArray[np.bool_]) -> Minima:
        """The same with some of the samples."""
        rows = np.flatnonzero(kept)
        values = {name: [v[i] for i in rows] for name, v in self.values.items()}
        return replace(self, spectra=tuple(self.spectra[i] for i in rows), fields=self.fields[rows], values=values)

    def density(self, edges: ArrayLike) -> Curve:
        """Density of the eigenvalues, a Curve; by Lanczos' method only up to the highest of those found."""
        total = (int(self.plan.law.d) - 1) * self.plan.N  # type: ignore[union-attr]
        return histogram([s.eigenvalues for s in self.spectra], edges, total=total)

    def participation(self, edges: ArrayLike) -> Curve:
        """Mean of ``N sum_i |psi_i|^4`` in bins of eigenvalues, a Curve."""
        return average_in_bins([(s.eigenvalues, s.participation) for s in self.spectra], edges)

    def field_density(self, edges: ArrayLike) -> Curve:
        """Density of the lengths of local fields, a Curve."""
        return histogram(list(self.fields), edges)

    def curves(self, *, eigenvalues: ArrayLike, fields: ArrayLike) -> Curves:
        """Everything but single eigenvalues of the samples that are `faithful`, as a record.

        Parameters
        ----------
        eigenvalues, fields : (n + 1,) array
            Edges of bins.
        """
        kept = self.restricted(self.faithful)
        found = {
            "density": kept.density(eigenvalues),
            "participation": kept.participation(eigenvalues),
            "fields": kept.field_density(fields),
        }
        plan = self.plan
        return Curves(
            what="minima",
            model=str(self.model.name),
            parameters=parameters_of(self.model),
            N=plan.N,
            P=plan.P,
            D=plan.D,
            loads=self.loads,
            start=plan.start,
            overlap=plan.overlap,
            seed=plan.seed,
            samples=self.samples,
            options={"kept": kept.samples},
            measurements=kept.measurements,
            curves=found,
            values=self.values,
            provenance=provenance(self.seconds),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain types, with all eigenvalues."""
        return {
            "N": self.plan.N,
            "P": self.plan.P,
            "loads": self.loads,
            "start": self.plan.start,
            "samples": self.samples,
            "seed": self.plan.seed,
            "method": self.spectra[0].method,
            "verdicts": self.verdicts,
            "largest_residual": max(s.error for s in self.spectra),
            "measurements": {name: m.to_json() for name, m in self.measurements.items()},
            "values": self.values,
            "eigenvalue": [s.eigenvalues.tolist() for s in self.spectra],
            "participation": [s.participation.tolist() for s in self.spectra],
            "provenance": provenance(self.seconds),
        }


def minima(
    model: Any,
    N: int,
    *,
    start: str = "example",
    samples: int = 8,
    seed: int = 0,
    method: str = "auto",
    k: int | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Minima:
    """Run spins into minima of the energy at T = 0, and take the Hessian there.

    Spins are aligned with their fields one by one, from a start that has a name, the last stretch by Newton's method.
    From a random start these are minima that a quench finds, above the ground state.

    Parameters
    ----------
    model : Model
        Of vector spins, d >= 2, at temperature 0, with its loads.
    N : int
        Spins.
    start : {'example', 'feature', 'mixture', 'unseen', 'random'}
    samples, seed : int
        Disorder samples are those of :func:`numerics.simulate.simulate`.
    method : {'auto', 'lapack', 'lanczos'}
    k : int, optional
        How many of the lowest eigenvalues; see :func:`numerics.riemannian.spectrum_of_minimum`.
    workers : int
        Samples at a time.
    progress : callable, optional
        Called as progress(done, total) with samples.
    options : mapping, optional
        Further options of :func:`numerics.task.task`, such as L or coefficients.

    Raises
    ------
    InvalidInput
        For a model without vector spins, a temperature above 0, or values out of range.

    Examples
    --------
    >>> from theory.models.vector_hopfield import VectorHopfield
    >>> found = minima(VectorHopfield(alpha=0.02, d=3), 100, samples=2)
    >>> found.verdicts, found.measurements["m"].value > 0.9
    ({'minimum': 2}, True)
    """
    began = time.perf_counter()
    check_count("samples", samples, 1)
    check_count("workers", workers, 1)
    plan = planned(model, N, start=start, seed=seed, method=method, options=options)
    rows = []
    with ThreadPoolExecutor(max_workers=int(workers)) as pool:
        for row in pool.map(lambda index: _minimum(plan, index, method, k), range(int(samples))):
            rows.append(row)
            if progress is not None:
                progress(len(rows), int(samples))
    names = [name for name in rows[0][2] if all(name in row[2] for row in rows)]
    return Minima(
        model=model,
        plan=plan,
        spectra=tuple(r[0] for r in rows),
        fields=np.array([r[1] for r in rows]),
        values={name: [r[2][name] for r in rows] for name in names},
        seconds=time.perf_counter() - began,
    )


def planned(
    model: Any,
    N: int,
    *,
    start: str = "example",
    seed: int = 0,
    method: str = "auto",
    options: Mapping[str, Any] | None = None,
) -> Task:
    """Validate the arguments of `minima`, without drawing anything.

    Raises
    ------
    InvalidInput
        As `minima`.
    """
    plan = task(model, N, start=start, seed=seed, **(options or {}))
    d = int(getattr(plan.law, "d", 1))
    if plan.couplings is None or d < 2:
        which = str(model.name) + ("" if plan.couplings is None else f" with d = {d}")
        raise InvalidInput(
            f"{which} has Ising spins, which cannot turn, so its minima have no Hessian; give a model of vectors with "
            "d >= 2."
        )
    if plan.temperature > 0.0:
        raise InvalidInput(
            f"temperature = {plan.temperature:g} is not allowed; minima of the energy are those at temperature 0, so "
            "leave the temperature out."
        )
    if chosen(method, METHODS, "method") == "lapack" and N * d > LARGEST_DENSE:
        n = (d - 1) * N
        raise InvalidInput(
            f"N d = {N * d} is too large for LAPACK, whose matrices would take {24 * n * n / 2**30:.3g} GiB; give "
            f"N d <= {LARGEST_DENSE}, or method 'lanczos' for the lowest eigenvalues."
        )
    return plan


def _minimum(plan: Task, index: int, method: str, k: int | None) -> tuple[MinimumSpectrum, Array, dict[str, float]]:
    """Spectrum, lengths of fields and order parameters of one sample."""
    assert isinstance(plan.law, IsotropicPatterns | VectorRandomFeaturePatterns)
    assert plan.couplings is not None
    sample = vector_disorder.draw(plan.law, N=plan.N, P=plan.P, D=plan.D, seed=plan.seed, index=index)
    begin, condensed, _ = named_start(sample, plan)
    couplings = vector_interactions(sample.patterns, kind=plan.couplings, precision="float64")
    name = (*sample.name, plan.couplings, plan.start, plan.L or 0)
    end = align(couplings, begin, key=rng.stream(*name, "order"), order=plan.order or "random", backend=plan.backend)
    spins = end.spins
    fields = couplings.fields(spins)
    spectrum = spectrum_of_minimum(couplings, spins, method=method, k=k)
    row = measure(sample, couplings, spins, energy=spectrum.energy, start=begin, condensed=condensed)
    if plan.start == "random":
        flat = sample.patterns.reshape(plan.P, -1).astype(np.float64)
        row["largest_overlap"] = float(np.abs(flat @ spins.ravel()).max() / plan.N)
    row |= {"smallest": spectrum.smallest, "tangential": spectrum.tangential, "sweeps": float(end.sweeps)}
    levels = spectrum.eigenvalues[~spectrum.symmetric]
    if spectrum.complete and len(spectrum.eigenvalues) == (spectrum.d - 1) * spectrum.N and levels.all():
        row["inverse_square"] = float((levels**-2.0).mean())
    row["minimum"] = float(spectrum.verdict == "minimum")
    return spectrum, np.linalg.norm(fields, axis=1), row
