r"""Theory against simulation: pulls per size, an extrapolated pull, and a verdict by a declared rule.

The rule, for one observable measured at sizes N_1 < N_2 < ...:

1. The difference between measurement and theory is formed at every size, with the theory taken at the
   *realised* loads of that size if predictions are given per record. For states that a sample can leave (example,
   feature, mixture) the mean is over the samples that stayed (retrieved), because the theory is that of the
   state.
2. The differences are extrapolated in 1/N, or in the power of 1/N that the phase has (`exponent`; one size: taken
   as it is). The error is multiplied by sqrt(nu / (nu - 2)), nu + 1 being the smallest number of samples per size,
   because errors are themselves estimated (Student); and by sqrt(chi2 / dof) where the fit is worse than chance
   allows (chi2 / dof > 1). Near a continuous transition the sizes at hand may not show the asymptotic power yet; where
   several powers are given, the first is used, and the largest change that another one makes is added to the error
   in quadrature.
3. *disagrees* if the difference exceeds `max_pull` errors (with a single size also a fraction `effect` of the
   theory's value, as corrections in 1/N cannot be told from a disagreement there);
   *agrees* if it does not and `max_pull` errors are below `effect` times the theory's value, so that a
   difference of that size would have been seen; *underpowered* otherwise, which is no agreement. Where theory says
   that an overlap is zero there is no such value; overlaps are at most 1, so `effect` is absolute there.
4. If less than half of the samples stay in the state at the largest size, the state itself is in question: the
   verdict is *disagrees* if, beyond three errors, the fraction is below 1/2 and has not grown with N, else
   *underpowered*.
5. At temperature > 0 theory speaks of equilibrium (in the state). If a sample that enters the means is not
   equilibrated, the verdict is *underpowered*, whatever the numbers are. So it is at temperature 0 where vectors of
   such a sample have not come to rest.

Overall: *disagrees* if any observable does; *agrees* if none does and the order parameter agrees (m where something
is condensed, else q at temperature > 0; all of them, where neither was compared); *underpowered* otherwise. With the
default limits and Gaussian scatter a correct theory of four observables is called wrong in about 1 % of all
comparisons. Scatter is skewed near a transition (u2 in particular, whose error a few samples underestimate): take
more samples there before believing a disagreement.

The verdict carries `rs_stable`: agreement with a replica-symmetric theory where that theory is unstable says
that the effect of replica symmetry breaking is below the errors, not that it is absent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from numerics.estimate import Measurement, mean
from numerics.finite_size import extrapolate, one_kind
from numerics.records import Record
from theory.errors import InvalidInput

__all__ = ["Agreement", "Comparison", "Verdict", "agreement", "compare"]

Verdict = Literal["agrees", "disagrees", "underpowered"]
# One power of 1/N, or the asymptotic one and others.
Powers = float | tuple[float, ...]
_LEAVES = ("example", "feature", "mixture")
_BOUNDED = ("m", "overlap", "t", "q")


@dataclass(frozen=True)
class Comparison:
    """Theory against measurement for one observable.

    Attributes
    ----------
    observable : str
    N : tuple of int
    theory, measured, errors, pulls : tuple of float
        Per size; a pull is (measured - theory) / error.
    n : tuple of int
        Samples per size.
    value, error : float
        Measurement extrapolated to infinite N (theory at the largest size plus the extrapolated difference),
        and its error by the rule.
    pull : float
        Extrapolated difference over its error.
    chi2 : float or None
    dof : int
        Of the extrapolation.
    exponent : float
        Power of 1/N in it, the first of several.
    verdict : {'agrees', 'disagrees', 'underpowered'}
    reason : str
    """

    observable: str
    N: tuple[int, ...]
    theory: tuple[float, ...]
    measured: tuple[float, ...]
    errors: tuple[float, ...]
    pulls: tuple[float, ...]
    n: tuple[int, ...]
    value: float
    error: float
    pull: float
    chi2: float | None
    dof: int
    exponent: float
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Agreement:
    """Verdict on a theory, observable by observable.

    Attributes
    ----------
    verdict : {'agrees', 'disagrees', 'underpowered'}
    comparisons : dict of Comparison
    retrieved : dict of Measurement
        Fraction of samples that stayed in the state, by N; empty for states that nothing can leave.
    unequilibrated : dict of int
        Samples in the means that are not equilibrated, by N; at temperature 0 those of vectors that have not come to
        rest, and empty if there are none.
    rs_stable : bool or None
        Whether the replica-symmetric theory is stable there; None if not known.
    message : str
        One sentence.
    max_pull, effect : float
        Limits of the rule.
    """

    verdict: Verdict
    comparisons: dict[str, Comparison]
    retrieved: dict[int, Measurement]
    unequilibrated: dict[int, int]
    rs_stable: bool | None
    message: str
    max_pull: float
    effect: float

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of JSON types; numbers that are not finite become null."""
        data = asdict(self)
        data["retrieved"] = {str(N): m.to_json() for N, m in self.retrieved.items()}
        data["unequilibrated"] = {str(N): count for N, count in self.unequilibrated.items()}
        return dict(_plain(data))


def agreement(
    theory: Mapping[str, float | None] | Sequence[Mapping[str, float | None]],
    records: Sequence[Record],
    *,
    rs_stable: bool | None = None,
    max_pull: float = 3.0,
    effect: float = 0.05,
    exponent: Powers | Mapping[str, Powers] = 1.0,
) -> Agreement:
    """Judge a theory by simulations; the rule is in the module's documentation.

    Parameters
    ----------
    theory : dict, or one dict per record
        Predicted observables (m, t, p_d, u2, energy ...) by name; None, and names the records lack, are left
        out. One dict per record lets each size be compared at its realised loads.
    records : sequence of Record
        Of one model, start and nominal point, at one or more sizes.
    rs_stable : bool, optional
        Carried to the result.
    max_pull : float
        Largest difference that counts as agreement, in errors.
    effect : float
        Relative difference that the errors must be able to show.
    exponent : float, tuple of float, or dict of these
        Power of 1/N in the extrapolation, or the asymptotic one and others that the sizes may show; of all observables
        or by name (1 for those not named).

    Raises
    ------
    InvalidInput
        If nothing can be compared, or the records are of different simulations.

    Examples
    --------
    >>> from numerics.simulate import simulate
    >>> from theory.models.hopfield import Hopfield
    >>> record = simulate(Hopfield(alpha=0.05, temperature=0.0), 400, start="example", samples=4)
    >>> agreement({"m": 0.9999}, [record]).verdict
    '...'
    """
    if not records:
        raise InvalidInput("nothing to compare; simulate at one or more N first.")
    one_kind(records)
    if len({r.N for r in records}) < len(records):
        raise InvalidInput("two records have the same N; give one record per size (more samples instead).")
    predictions = [theory] * len(records) if isinstance(theory, Mapping) else list(theory)
    if len(predictions) != len(records):
        raise InvalidInput(f"{len(predictions)} predictions for {len(records)} records; give one each, or one for all.")
    pairs = sorted(zip(records, predictions, strict=True), key=lambda pair: pair[0].N)
    leaves = records[0].start in _LEAVES
    retrieved = {r.N: r["retrieved_fraction"] for r, _ in pairs if "retrieved_fraction" in r.measurements}
    unequilibrated = {r.N: _unequilibrated(r) for r, _ in pairs if r.sampling is not None}
    moving = {r.N: _unequilibrated(r, "converged") for r, _ in pairs if "converged" in r.values}
    unequilibrated |= moving if any(moving.values()) else {}
    powers = exponent if isinstance(exponent, Mapping) else {}
    common_power = 1.0 if isinstance(exponent, Mapping) else exponent
    common = [
        name
        for name, value in pairs[0][1].items()
        if value is not None and all(name in r.values and p.get(name) is not None for r, p in pairs)
    ]
    if not common:
        raise InvalidInput(
            f"no observable is both predicted ({', '.join(pairs[0][1]) or 'none'}) and measured "
            f"({', '.join(pairs[0][0].values)}); give predictions under the measured names."
        )
    comparisons = {}
    for name in common:
        measured = [_in_state(record, name) for record, _ in pairs]
        predicted = [float(p[name] or 0.0) for _, p in pairs]
        comparisons[name] = compare(
            name,
            [record.N for record, _ in pairs],
            measured,
            predicted,
            max_pull=max_pull,
            effect=effect,
            exponent=powers.get(name, common_power),
        )
    verdict, message = _overall(
        comparisons,
        _restless(unequilibrated, records[0], moving=any(moving.values())) or _left(retrieved if leaves else {}),
        condensed=leaves,
    )
    return Agreement(verdict, comparisons, retrieved, unequilibrated, rs_stable, message, max_pull, effect)


def compare(
    observable: str,
    N: Sequence[int],
    measured: Sequence[Measurement],
    theory: Sequence[float],
    *,
    max_pull: float = 3.0,
    effect: float = 0.05,
    exponent: Powers = 1.0,
) -> Comparison:
    """Apply rules 2 and 3 to one observable.

    Parameters
    ----------
    observable : str
    N, measured, theory : sequences of equal length
        Sizes in ascending order, measurements, predictions.
    max_pull, effect, exponent : float
        See :func:`agreement`.
    """
    # Where no sample shows a single wrong spin the spread is zero; one spin in all samples is the resolution.
    errors = []
    for size, m in zip(N, measured, strict=True):
        floor = 2.0 / (size * m.n) if observable in _BOUNDED and m.n else 0.0
        errors.append(max(m.error, floor) if math.isfinite(m.error) else math.nan)
    differences = [m.value - t for m, t in zip(measured, theory, strict=True)]
    pulls = [d / e if e > 0 else math.nan for d, e in zip(differences, errors, strict=True)]
    freedom = min(m.n for m in measured) - 1
    powers = exponent if isinstance(exponent, tuple) else (exponent,)
    chi2: float | None = None
    dof, choice = 0, 0.0
    difference, error = differences[-1], errors[-1]
    if freedom < 3 or not all(e > 0 for e in errors):
        error = math.nan
    elif len(N) > 1:
        fit, *others = [extrapolate(N, differences, errors, exponent=power) for power in powers]
        difference, error, chi2, dof = fit.value, fit.error, fit.chi2, fit.dof
        error *= math.sqrt(max(1.0, chi2 / dof)) if dof else 1.0
        choice = max((abs(other.value - fit.value) for other in others), default=0.0)
    error *= math.sqrt(freedom / (freedom - 2)) if freedom > 2 else math.nan
    error = math.hypot(error, choice)
    limit = effect * (1.0 if theory[-1] == 0.0 and observable in _BOUNDED else abs(theory[-1]))
    seen = f"{effect:g}" if theory[-1] == 0.0 else f"{100 * effect:g} %"
    pull = difference / error
    verdict: Verdict
    if not math.isfinite(pull):
        verdict, reason = "underpowered", "errors are unknown with fewer than 4 samples that stayed in the state"
    elif abs(pull) > max_pull and (len(N) > 1 or abs(difference) > limit):
        verdict, reason = "disagrees", f"the difference is {abs(pull):.1f} errors"
    elif abs(pull) > max_pull:
        verdict, reason = "underpowered", "one size cannot tell a finite-size correction; simulate at two or more N"
    elif max_pull * error > limit:
        factor = math.ceil((max_pull * error / limit) ** 2) if limit > 0 else 0
        need = f"about {factor} times the samples would be needed" if factor else "the theory's value is zero"
        verdict, reason = "underpowered", f"a difference of {seen} could not be seen; {need}"
    else:
        verdict, reason = "agrees", f"the difference is {abs(pull):.1f} errors and {seen} would be seen"
    return Comparison(
        observable=observable,
        N=tuple(N),
        theory=tuple(theory),
        measured=tuple(m.value for m in measured),
        errors=tuple(errors),
        pulls=tuple(pulls),
        n=tuple(m.n for m in measured),
        value=theory[-1] + difference,
        error=error,
        pull=pull,
        chi2=chi2,
        dof=dof,
        exponent=powers[0],
        verdict=verdict,
        reason=reason,
    )


def _stayed(record: Record) -> NDArray[np.bool_]:
    """Return which samples the means are over: those in the state, or all samples of other starts."""
    if record.start not in _LEAVES:
        return np.ones(record.samples, dtype=np.bool_)
    return np.asarray(record.values["retrieved_fraction"]) > 0.5


def _in_state(record: Record, name: str) -> Measurement:
    values = np.asarray(record.values[name], dtype=np.float64)[_stayed(record)]
    return mean(values) if values.size else Measurement(math.nan, math.nan, 0)


def _unequilibrated(record: Record, name: str = "equilibrated") -> int:
    return int((np.asarray(record.values[name])[_stayed(record)] < 0.5).sum())


def _restless(unequilibrated: Mapping[int, int], record: Record, *, moving: bool) -> tuple[Verdict, str] | None:
    """Apply rule 5: what follows from samples that are not equilibrated."""
    bad = {N: count for N, count in unequilibrated.items() if count}
    if not bad:
        return None
    told = ", ".join(f"{count} at N = {N}" for N, count in bad.items())
    if moving:
        return "underpowered", f"vectors have not come to rest in some samples ({told}); give other loads or sizes"
    # Tempering would leave a condensed state, by way of high temperatures; vectors, which have a d, are not tempered.
    tempered = record.start not in _LEAVES and "d" not in record.parameters
    remedy = "give more sweeps or the algorithm 'tempering'" if tempered else "give more sweeps"
    return "underpowered", f"samples are not equilibrated ({told}); {remedy}"


def _left(retrieved: Mapping[int, Measurement]) -> tuple[Verdict, str] | None:
    """Apply rule 4: what follows from samples that left the state, None if enough of them stayed."""
    if not retrieved:
        return None
    last = list(retrieved.values())[-1]
    if last.value >= 0.5:
        return None
    first = next(iter(retrieved.values()))
    grown = last.value - first.value > 3.0 * math.hypot(last.error, first.error)
    share = f"only {100 * last.value:.0f} % of the samples stay in the state at N = {list(retrieved)[-1]}"
    if last.value + 3.0 * last.error < 0.5 and not (len(retrieved) > 1 and grown):
        return "disagrees", share
    return "underpowered", share


def _overall(
    comparisons: Mapping[str, Comparison], ruled: tuple[Verdict, str] | None, *, condensed: bool
) -> tuple[Verdict, str]:
    by: dict[Verdict, list[str]] = {"disagrees": [], "underpowered": [], "agrees": []}
    for name, comparison in comparisons.items():
        by[comparison.verdict].append(name)
    told = "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in by.items() if names)
    if ruled is not None:
        return ruled[0], f"{ruled[1]} ({told})."
    order = "q" if not condensed and "q" in comparisons else "m"
    decisive = [comparisons[order]] if order in comparisons else list(comparisons.values())
    if by["disagrees"]:
        return "disagrees", f"{told}."
    return ("agrees" if all(c.verdict == "agrees" for c in decisive) else "underpowered"), f"{told}."


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
