r"""Score models simulated: spectrum, losses, and decomposition of the train loss, with errors over samples.

A sample draws features and data by name, decomposes the feature matrix, and reads everything off the modes (SGD and
Adam train step by step).  Means and standard errors are over samples; corrections to the limit of large d are O(1/d) in
averages and O(d^{-2/3}) at edges, so sizes are compared at the loads p/d and n/d that are realised.
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.curves import Curve, Curves, histogram
from numerics.diffusion import score_network as true
from numerics.diffusion.score_matrices import Disorder, Modes, drawn, equivalent_modes, realised
from numerics.diffusion.score_training import Setting, drops, groups, losses, optimum, score_floor, stepwise
from numerics.estimate import mean
from numerics.provenance import provenance
from theory.diffusion.constants import Activation, Constants, activation, gaussian_constants
from theory.diffusion.population import Population, population
from theory.errors import InvalidInput, nearest, whole_number

__all__ = ["NETWORKS", "OPTIMISERS", "ScoreTask", "series", "simulate_score"]

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

NETWORKS = ("equivalent", "true")
OPTIMISERS = ("flow", "gd", "sgd", "adam")
_RATES = {"gd": 0.5, "sgd": 0.1, "adam": 0.01}
_STEPS = 2000
_LOSSES = ("train", "test", "score_error")
_MARKS = 24  # steps of SGD and Adam at which losses are measured
_MOST_FEATURES = 100_000_000  # numbers of noisy features


@dataclass(frozen=True)
class ScoreTask:
    """What is simulated; checked when made.

    Parameters
    ----------
    psi_p, psi_n, t : float
        Features and samples per dimension, and diffusion time.
    d : int
        Dimensions; ``p = round(psi_p d)``, ``n = round(psi_n d)``.
    activation, sigma
        As for `theory.diffusion.constants.activation` and `theory.diffusion.population.population`.
    network : {'equivalent', 'true'}
        Gaussian-equivalent matrices, or the nonlinear network itself.
    noises : int or None
        True network: noises per sample in the train loss; None averages over the noise exactly.
    optimiser : {'flow', 'gd', 'sgd', 'adam'}
        Gradient flow or descent with finite steps, in closed form; step by step, with `noises`.
    rate : float or None
        Length of a step: gd and sgd in relaxation times of the fastest mode (gd is unstable from 2 on; 0.5 and 0.1 if
        absent), adam of an element of A (0.01 if absent).
    steps : int or None
        Of sgd and adam; 2000 if absent.
    batch : int or None
        Noisy samples per step of sgd and adam; n if absent.
    tau : tuple of float
        Training times of flow and gd; infinite training is measured anyway.
    seed : int

    Raises
    ------
    InvalidInput
        For values out of range, or options that do not go together.
    """

    psi_p: float
    psi_n: float
    t: float
    d: int
    activation: Any = "tanh"
    sigma: Any = 1.0
    network: str = "equivalent"
    noises: int | None = None
    optimiser: str = "flow"
    rate: float | None = None
    steps: int | None = None
    batch: int | None = None
    tau: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("network", NETWORKS), ("optimiser", OPTIMISERS)):
            word = getattr(self, name)
            if word not in choices:
                close = nearest(str(word), choices)
                hint = f"; did you mean '{close}'?" if close else "."
                raise InvalidInput(f"{name} '{word}' is unknown; choose one of {', '.join(choices)}{hint}")
        object.__setattr__(self, "activation", activation(self.activation))
        object.__setattr__(self, "sigma", population(self.sigma))
        p, n = self.sizes
        _ = self.constants  # refuses t out of range
        stepping = self.optimiser in ("sgd", "adam")
        if self.network == "equivalent" and (stepping or self.noises is not None):
            raise InvalidInput(
                "single noises and steps exist for the true network only; give network 'true', or leave out noises "
                "and choose the optimiser flow or gd."
            )
        if stepping and self.noises is None:
            raise InvalidInput(f"optimiser '{self.optimiser}' trains on finitely many noises; give noises >= 1.")
        for name, given in (("steps", self.steps is not None), ("batch", self.batch is not None)):
            if given and not stepping:
                raise InvalidInput(f"{name} belongs to sgd and adam; leave it out, or choose one of these optimisers.")
        if stepping and self.tau:
            raise InvalidInput(
                f"tau belongs to flow and gd; leave it out, for '{self.optimiser}' goes step by step and tells its own."
            )
        for name, value, most in (("noises", self.noises, 10_000), ("steps", self.steps, 10_000_000)):
            if value is not None:
                whole_number(name, value, 1, most)
        if self.batch is not None:
            whole_number("batch", self.batch, 1, n * (self.noises or 1))
        if self.network == "true" and p > true.LARGEST:
            raise InvalidInput(
                f"p = {p} features are too many for the true network; give d <= {int(true.LARGEST / self.psi_p)}."
            )
        if self.noises is not None and p * n * self.noises > _MOST_FEATURES:
            raise InvalidInput(
                f"noises = {self.noises} for n = {n} samples of p = {p} features do not fit into memory; give noises "
                f"<= {max(1, _MOST_FEATURES // (p * n))} or a smaller d."
            )
        bound = 2.0 if self.optimiser == "gd" else math.inf
        if self.rate is not None and (self.optimiser == "flow" or not 0.0 < self.rate < bound):
            flow = "gradient flow has no steps; leave it out, or choose gd."
            allowed = flow if self.optimiser == "flow" else f"give a number with 0 < rate < {bound:g}."
            raise InvalidInput(f"rate = {self.rate} is not allowed for '{self.optimiser}': {allowed}")
        if not all(isinstance(x, numbers.Real) and 0.0 <= float(x) < math.inf for x in self.tau):
            raise InvalidInput("tau holds negative or non-finite training times; give a list of numbers tau >= 0.")

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of features and samples."""
        return realised(self.d, self.psi_p, self.psi_n)

    @property
    def law(self) -> Population:
        """Spectrum of Sigma."""
        assert isinstance(self.sigma, Population)
        return self.sigma

    @property
    def act(self) -> Activation:
        """The activation."""
        assert isinstance(self.activation, Activation)
        return self.activation

    @property
    def constants(self) -> Constants:
        """Constants of the Gaussian equivalent."""
        return gaussian_constants(self.act, t=self.t, sigma2=self.law.sigma2)

    @property
    def pace(self) -> float | None:
        """The rate, or what it is if absent; None for gradient flow."""
        return self.rate if self.rate is not None else _RATES.get(self.optimiser)

    @property
    def length(self) -> int:
        """Steps of sgd and adam."""
        return _STEPS if self.steps is None else self.steps

    def disorder(self, sample: int) -> Disorder:
        """Features and data of a sample."""
        return drawn(self.d, *self.sizes, self.law, seed=self.seed, sample=sample)

    def setting(self, disorder: Disorder) -> Setting:
        """What turns modes into losses."""
        rate = self.pace if self.optimiser == "gd" else None
        return Setting(disorder.p / disorder.d, self.constants.Delta, score_floor(self.t, disorder.covariance), rate)


def simulate_score(
    task: ScoreTask,
    *,
    samples: int = 4,
    shares: Mapping[str, float] | None = None,
    bins: Mapping[str, Sequence[float]] | None = None,
    progress: Progress | None = None,
) -> Curves:
    """Simulate a score model.

    Parameters
    ----------
    task : ScoreTask
    samples : int
        Disorder samples.
    shares : dict of str to float
        Share of all eigenvalues in each bulk, from the highest bulk down, say of the theory; eigenvalues are told apart
        by counting them, and what is left is 'delta'.
    bins : dict of str to sequence of float
        Edges of histograms of eigenvalues, by name; densities of all p eigenvalues.
    progress : callable
        Called as ``progress(done, total)``.

    Returns
    -------
    Curves
        `measurements`: 'lowest 2', 'highest 2' and 'drop 2' (of the train loss, for infinite training) for every bulk;
        'train 0', 'test 0', 'score_error 0' at ``options["tau"][0]`` and so on; 'train', 'test', 'score_error' for
        infinite training; 'tau_opt' and 'score_error_opt' where every sample has them.

    Raises
    ------
    InvalidInput
        For fewer than one sample.

    Examples
    --------
    >>> found = simulate_score(ScoreTask(4, 2, 0.1, 20, tau=(10.0,)), samples=2, shares={"2": 1 / 4})
    >>> sorted(found.measurements)[:4]
    ['drop 2', 'drop delta', 'highest 2', 'highest delta']
    """
    whole_number("samples", samples, 1, 1_000_000)
    began = time.perf_counter()
    p, n = task.sizes
    counts = {name: round(share * p) for name, share in (shares or {}).items()}
    rows, spectra = list[dict[str, float]](), list[Array]()
    for sample in range(samples):
        disorder = task.disorder(sample)

        def report(done: int, total: int, sample: int = sample) -> None:
            if progress is not None:
                progress(sample * total + done, samples * total)

        if task.optimiser in ("sgd", "adam"):
            row = _stepped(task, disorder, report)
        else:
            row, values = _solved(task, disorder, counts)
            spectra.append(values)
            report(1, 1)
        rows.append(row)
    common = [name for name in rows[0] if all(name in row for row in rows)]
    values_of = {name: [row[name] for row in rows] for name in common}
    kept: dict[str, Curve] = {name: histogram(spectra, edges) for name, edges in (bins or {}).items() if spectra}
    options: dict[str, Any] = {
        "activation": task.act.name,
        "sigma": task.law.to_json(),
        "noises": task.noises,
        "optimiser": task.optimiser,
        "rate": task.pace,
        "counts": counts,
        "tau": list(task.tau),
    }
    if not spectra:  # a step is as long as the sample's fastest mode allows
        options["tau"] = [sum(v) / len(v) for k in range(_MARKS + 1) if (v := values_of.pop(f"tau {k}", []))]
        options |= {"steps": _marks(task.length), "batch": task.batch or n}
    return Curves(
        what="score",
        model="score",
        parameters={"psi_p": float(task.psi_p), "psi_n": float(task.psi_n), "t": float(task.t)},
        N=task.d,
        P=n,
        D=p,
        loads={"psi_p": p / task.d, "psi_n": n / task.d},
        start=task.network,
        overlap=1.0,
        seed=task.seed,
        samples=samples,
        options=options,
        measurements={name: mean(values) for name, values in values_of.items()},
        curves=kept,
        values=values_of,
        provenance=provenance(time.perf_counter() - began),
    )


def _solved(task: ScoreTask, disorder: Disorder, counts: Mapping[str, int]) -> tuple[dict[str, float], Array]:
    """Measurements of a sample in closed form, and its eigenvalues."""
    setting = task.setting(disorder)
    modes = _modes(task, disorder)
    parts = groups(modes, counts)
    row: dict[str, float] = {}
    for name, part in parts.items():
        if part.stop > part.start:
            row[f"lowest {name}"] = float(modes.eigenvalue[part][0])
            row[f"highest {name}"] = float(modes.eigenvalue[part][-1])
    for name, drop in drops(modes, setting, parts, math.inf).items():
        row[f"drop {name}"] = float(drop[0])
    for name, column in zip(_LOSSES, losses(modes, setting, [*task.tau, math.inf]), strict=True):
        row |= {f"{name} {k}": float(value) for k, value in enumerate(column[:-1])}
        row[name] = float(column[-1])
    best = optimum(modes, setting)
    if best is not None:
        row["tau_opt"], row["score_error_opt"] = best
    return row, modes.all


def _modes(task: ScoreTask, disorder: Disorder) -> Modes:
    if task.network == "equivalent":
        return equivalent_modes(disorder, task.constants)
    fresh = true.population_average(disorder, task.act, task.t)
    if task.noises is None:
        return true.network_modes(true.noise_average(disorder, task.act, task.t), fresh)
    features, noise = true.feature_samples(disorder, task.act, task.t, task.noises)
    return true.network_modes(true.sample_average(features, noise), fresh)


def _stepped(task: ScoreTask, disorder: Disorder, report: Progress) -> dict[str, float]:
    """Losses of a sample along its training, and the training times of SGD."""
    setting, root = task.setting(disorder), math.sqrt(task.constants.Delta)
    assert task.noises is not None
    assert task.pace is not None
    features, noise = true.feature_samples(disorder, task.act, task.t, task.noises)
    fresh = true.population_average(disorder, task.act, task.t)
    row = dict[str, float]()
    along = stepwise(
        features,
        noise,
        setting,
        optimiser=task.optimiser,
        rate=task.pace,
        at=_marks(task.length),
        batch=task.batch or disorder.n,
        name=(*disorder.name, task.optimiser),
        progress=report,
    )
    with np.errstate(over="ignore", invalid="ignore"):  # told below
        for k, (_, tau, B) in enumerate(along):
            if tau is not None:
                row[f"tau {k}"] = tau
            train = float(((root * B @ features + noise.T) ** 2).sum() / noise.size)
            quadratic = float(((B @ fresh.U) * B).sum())
            test = 1.0 + (setting.Delta * quadratic + 2.0 * root * float((B * fresh.V.T).sum())) / disorder.d
            values = (train, test, (test - setting.floor) / setting.Delta)
            row |= {f"{name} {k}": value for name, value in zip(_LOSSES, values, strict=True)}
    if not all(math.isfinite(value) for value in row.values()):
        raise InvalidInput(
            f"rate = {task.pace} lets '{task.optimiser}' diverge within {task.length} steps; give a smaller rate."
        )
    return row


def _marks(steps: int) -> list[int]:
    """Steps at which losses are measured, evenly in their logarithm."""
    return sorted({0, *np.unique(np.rint(np.geomspace(1, steps, _MARKS))).astype(int).tolist()})


def series(record: Curves, name: str) -> tuple[Array, Array, Array]:
    """Training times (steps of Adam), a loss there ('train', 'test', 'score_error') and its standard error."""
    tau = np.array(record.options["tau"] or record.options.get("steps", []), dtype=np.float64)
    found = [record[f"{name} {k}"] for k in range(tau.size)]
    return tau, np.array([m.value for m in found]), np.array([m.error for m in found])
