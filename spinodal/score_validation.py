r"""Theory and simulation of a score model, side by side, at growing d.

Compared by the rule of `numerics.validate` (extrapolation in a power of 1/d, pulls, what could have been seen):

- train loss and error of the score at the time scales of the theory and for infinite training (corrections O(1/d)),
- by how much each bulk has lowered the train loss,
- the time scales themselves, as they follow from the largest and smallest eigenvalues of the bulks.  Close to an edge
  the density is ``(C/pi) sqrt(x)``, and the extreme eigenvalue of p follows the Tracy-Widom law of real matrices in
  units of ``(p C)^{-2/3}``: its mean, 1.2065 units inside the edge, is part of the prediction at finite d,
- the time of the lowest test loss, and the error of the score there.

Features of the true network differ in length by O(d^{-1/2}), independently and around a mean, so that losses are
corrected by O(1/d); edges and the line between delta and lowest bulk may move by O(d^{-1/2}), and the change that this
power makes is added to their errors.  The delta is smeared there: its part of the drop is added to that of the lowest
bulk.  Of Gaussian-equivalent matrices every eigenvalue is placed as well: a spectrum
agrees if every bulk holds exactly as many eigenvalues as its weight says, and no extreme one is farther than `REACH`
Tracy-Widom units from its edge (probability 1e-9 per edge; the law has deviation 1.3), in any sample.

Overall the theory disagrees if any observable or any bulk does, agrees if none does and the losses for infinite
training agree, and is underpowered otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from numerics.curves import Curves
from numerics.diffusion.score_simulate import ScoreTask, simulate_score
from numerics.estimate import mean
from numerics.validate import Comparison, Verdict, compare
from theory.diffusion.bulks import Bulk, nodes_of
from theory.diffusion.losses import Training
from theory.diffusion.resolvent import ScoreModel
from theory.diffusion.times import TimeScales, time_scales
from theory.errors import InvalidInput

__all__ = ["MAX_PULL", "REACH", "ScoreValidation", "edge_units", "loss_times", "shares_of", "validate_score"]

MAX_PULL = 4.0  # of about twenty comparisons: a correct theory is called wrong once in a thousand
REACH = 10.0
EFFECT = 0.05
_SCALES = ("tau_gen", "tau_mem_1", "tau_mem_3")
_SHORT = {"train": "train", "score_error": "error"}
_FROM = {"tau_gen": "lowest 2", "tau_mem_1": "highest 1", "tau_mem_3": "highest 3"}
_INSIDE = 1.2065335745820  # mean of the Tracy-Widom law (beta = 1)
_DECISIVE = ("train at infinity", "error at infinity")
_TRUE_POWERS = (1.0, 1 / 2)


@dataclass(frozen=True)
class ScoreValidation:
    """A comparison with what was compared.

    Attributes
    ----------
    verdict : {'agrees', 'disagrees', 'underpowered'}
    message : str
    comparisons : dict of Comparison
        By observable; their N is d.
    edges : list of dict
        Per size and bulk: edges of the theory, extreme eigenvalues over all samples, and how far these are outside
        (above 0) or inside, in Tracy-Widom units; equivalent network only.
    models : tuple of ScoreModel
        At the realised loads of every size.
    records : tuple of Curves
    """

    verdict: Verdict
    message: str
    comparisons: dict[str, Comparison]
    edges: list[dict[str, Any]]
    models: tuple[ScoreModel, ...]
    records: tuple[Curves, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison in plain containers."""
        first = self.records[0]
        return {
            "model": "score",
            "network": first.start,
            "parameters": first.parameters,
            "verdict": self.verdict,
            "message": self.message,
            "comparisons": {name: asdict(c) for name, c in self.comparisons.items()},
            "edges": self.edges,
            "max_pull": MAX_PULL,
            "effect": EFFECT,
            "reach": REACH,
            "seed": first.seed,
            "samples": first.samples,
            "sizes": [
                {"d": r.N, "p": r.D, "n": r.P, "measurements": {k: m.to_json() for k, m in r.measurements.items()}}
                for r in self.records
            ],
        }


def shares_of(training: Training) -> dict[str, float]:
    """Weight of every bulk, from the highest down; parts of one kind are told apart by a number.

    Examples
    --------
    >>> {name: round(64 * share) for name, share in shares_of(Training(ScoreModel(64, 8, 0.01))).items()}
    {'2': 1, '1': 7, '3': 1}
    """
    found: dict[str, float] = {}
    for bulk in reversed(training.spectrum.bulks):
        found[bulk.name] = found.get(bulk.name, 0.0) + bulk.weight
    return found


def edge_units(model: ScoreModel, bulk: Bulk, p: int) -> tuple[float, float]:
    """Units ``(p C)^{-2/3}`` of the fluctuations at both edges of a bulk, with the density ``(C/pi) sqrt(x)`` there.

    C is where ``pi density/sqrt(x)`` tends at the edge, by a straight line through the nodes next to it.
    """
    nodes = nodes_of(model, bulk, points=200)
    found = []
    for side in (slice(0, 12), slice(-12, None)):
        edge = bulk.low if side.start == 0 else bulk.high
        x = np.abs(nodes.eigenvalue[side] - edge)
        C = float(np.polyfit(x, math.pi * nodes.density[side] / np.sqrt(x), 1)[1])
        found.append((p * C) ** (-2 / 3))
    return found[0], found[1]


def validate_score(
    task: ScoreTask,
    *,
    d: Sequence[int] = (50, 100, 200),
    samples: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> ScoreValidation:
    """Simulate a score model at every d, and judge whether theory and simulation agree.

    Parameters
    ----------
    task : ScoreTask
        With gradient flow, and noise averaged exactly; its d and tau are not used.
    d : sequence of int
        Dimensions; with two or more, differences are extrapolated.
    samples : int
        Per size, 4 at least for a verdict.
    progress : callable, optional
        Called as ``progress(label, done, total)``.

    Raises
    ------
    InvalidInput
        For options that the theory does not describe, or fewer than one size.
    """
    if task.optimiser != "flow" or task.noises is not None:
        raise InvalidInput("the theory is that of gradient flow and of all noise; leave out the optimiser and noises.")
    sizes = sorted(set(d))
    if not sizes:
        raise InvalidInput("d holds no sizes; give one or more, as 50,100,200.")
    nominal = ScoreModel(task.psi_p, task.psi_n, task.t, task.activation, task.sigma)
    times = loss_times(nominal)
    models, trainings, records, scales = [], [], [], []
    for size in sizes:
        here = replace(task, d=size, tau=tuple(times.values()))
        p, n = here.sizes
        model = replace(nominal, psi_p=p / size, psi_n=n / size)
        training = Training(model)

        def report(done: int, total: int, size: int = size) -> None:
            if progress is not None:
                progress(f"samples at d = {size}", done, total)

        records.append(simulate_score(here, samples=samples, shares=shares_of(training), progress=report))
        models.append(model)
        trainings.append(training)
        scales.append(time_scales(training))
    comparisons = _comparisons(task, sizes, records, trainings, scales, times)
    edges = _edges(models, trainings, records) if task.network == "equivalent" else []
    verdict, message = _judged(comparisons, edges)
    return ScoreValidation(verdict, message, comparisons, edges, tuple(models), tuple(records))


def loss_times(model: ScoreModel | Training) -> dict[str, float]:
    """Training times at which losses are compared: the time scales that exist, by name."""
    found = time_scales(model)
    named = {name: getattr(found, name) for name in ("tau_gen", "tau_opt", "tau_mem_1", "tau_mem_3")}
    return {name: value for name, value in named.items() if value is not None}


def _comparisons(
    task: ScoreTask,
    sizes: list[int],
    records: list[Curves],
    trainings: list[Training],
    scales: list[TimeScales],
    times: dict[str, float],
) -> dict[str, Comparison]:
    powers = 1.0 if task.network == "equivalent" else _TRUE_POWERS
    theory: dict[str, tuple[list[list[float]], list[float], Any]] = {}

    def add(name: str, measured: list[list[float]], predicted: list[float], power: Any) -> None:
        theory[name] = (measured, predicted, power)

    for k, (label, tau) in enumerate([*times.items(), ("infinity", math.inf)]):
        ends = tau == math.inf
        for loss in ("train", "score_error"):
            name = loss if ends else f"{loss} {k}"
            at = [_at(training, loss, tau) for training in trainings]
            add(f"{_SHORT[loss]} at {label}", [r.values[name] for r in records], at, 1.0)
    bulks = list(shares_of(trainings[-1]))
    for bulk in bulks:
        drop = [float(t.drops(math.inf).get(bulk, np.zeros(1))[0]) for t in trainings]
        if all(f"drop {bulk}" in r.values for r in records):
            # V has no part in the delta of the equivalent.
            rest = [r.values.get("drop delta" if bulk == bulks[-1] else "", [0.0] * r.samples) for r in records]
            measured = [
                [x + y for x, y in zip(r.values[f"drop {bulk}"], z, strict=True)]
                for r, z in zip(records, rest, strict=True)
            ]
            add(f"drop by bulk {bulk}", measured, drop, powers)
    for name in _SCALES:
        found = [_displaced(t, name, r.D) for t, r in zip(trainings, records, strict=True)]
        predicted = [x for x in found if x is not None]
        if len(predicted) == len(records) and all(_FROM[name] in r.values for r in records):
            modes = [
                [t.model.psi_p / (2.0 * t.model.Delta * x) for x in r.values[_FROM[name]]]
                for t, r in zip(trainings, records, strict=True)
            ]
            add(name, modes, predicted, powers)
    for name in ("tau_opt", "score_error_opt"):
        predicted = [x for s in scales if (x := getattr(s, name)) is not None]
        if len(predicted) == len(records) and all(name in r.values for r in records):
            add(name, [r.values[name] for r in records], predicted, 1.0)
    return {
        name: compare(
            name, sizes, [mean(v) for v in measured], predicted, max_pull=MAX_PULL, effect=EFFECT, exponent=power
        )
        for name, (measured, predicted, power) in theory.items()
    }


def _at(training: Training, loss: str, tau: float) -> float:
    if tau == math.inf:
        return training.final_train if loss == "train" else training.final_score_error
    return float(getattr(training, loss)(tau)[0])


def _displaced(training: Training, name: str, p: int) -> float | None:
    """A time scale with the extreme eigenvalue where it is on average at finite size."""
    end, kind = _FROM[name].split()
    alone = training.spectrum.of_kind(int(kind))
    if not alone or len(alone) != sum(int(kind) in b.kinds for b in training.spectrum.bulks):
        return None
    model = training.model
    units = edge_units(model, alone[0] if end == "lowest" else alone[-1], p)
    edge = alone[0].low + _INSIDE * units[0] if end == "lowest" else alone[-1].high - _INSIDE * units[1]
    return model.psi_p / (2.0 * model.Delta * edge)


def _edges(models: list[ScoreModel], trainings: list[Training], records: list[Curves]) -> list[dict[str, Any]]:
    """Extreme eigenvalues of every bulk against its edges."""
    found = []
    for model, training, record in zip(models, trainings, records, strict=True):
        names = [bulk.name for bulk in training.spectrum.bulks]
        for bulk in training.spectrum.bulks:
            lowest, highest = (record.values.get(f"{end} {bulk.name}") for end in ("lowest", "highest"))
            if lowest is None or highest is None or names.count(bulk.name) > 1 or bulk.above_low == 0.0:
                continue
            units = edge_units(model, bulk, record.D)
            below = [(bulk.low - x) / units[0] for x in lowest]
            above = [(x - bulk.high) / units[1] for x in highest]
            far = max(abs(x) for x in (*below, *above))
            found.append(
                {
                    "d": record.N,
                    "bulk": bulk.name,
                    "eigenvalues": record.options["counts"][bulk.name],
                    "low": bulk.low,
                    "high": bulk.high,
                    "lowest": min(lowest),
                    "highest": max(highest),
                    "units": list(units),
                    "outside": [max(below), max(above)],
                    "farthest": far,
                    "agrees": far <= REACH,
                }
            )
    return found


def _judged(comparisons: dict[str, Comparison], edges: list[dict[str, Any]]) -> tuple[Verdict, str]:
    by = {word: [n for n, c in comparisons.items() if c.verdict == word] for word in ("disagrees", "underpowered")}
    wrong = [f"bulk {e['bulk']} at d = {e['d']}" for e in edges if not e["agrees"]]
    agreed = sum(c.verdict == "agrees" for c in comparisons.values())
    told = [f"{agreed} of {len(comparisons)} observables agree"]
    if edges:
        placed = f"eigenvalues are outside of {', '.join(wrong)}" if wrong else "every bulk is where it should be"
        told.append(placed)
    told += [f"{word}: {', '.join(names)}" for word, names in by.items() if names]
    verdict: Verdict = "agrees"
    seen = [n for n, c in comparisons.items() if len(c.N) == 1 and c.verdict != "agrees" and abs(c.pull) > MAX_PULL]
    if seen:
        told.append(f"one d cannot tell corrections of finite d from a wrong theory ({', '.join(seen)}); give two d")
    if wrong or by["disagrees"]:
        verdict = "disagrees"
    elif seen:
        verdict = "underpowered"
    elif any(name in by["underpowered"] for name in _DECISIVE) or _undecided(comparisons):
        verdict = "underpowered"
        told.append("give more samples or larger d")
    return verdict, f"{'; '.join(told)}."


def _undecided(comparisons: dict[str, Comparison]) -> bool:
    """Whether no time scale at all could be decided, whatever the losses say."""
    scales = [c.verdict for name, c in comparisons.items() if name.startswith("tau_")]
    return bool(scales) and "agrees" not in scales
