"""Theory and simulation of one state, side by side, at growing N."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from theory.errors import InvalidInput
from theory.model import normalise

if TYPE_CHECKING:
    from numerics.records import Record
    from numerics.validate import Agreement
    from theory.states import Solution

__all__ = ["Validation", "observables", "powers", "validate"]

# At T = 0 a quench ends in a metastable state whose energy the replica-symmetric spin glass does not describe.
CONDENSED = ("example", "feature", "mixture")
SIZES, SIZES_WARM = (1000, 2000, 4000), (250, 500, 1000)

# Powers of 1/N in the leading corrections at T > 0, where they are not 1.  Overlaps that vanish are measured in
# absolute value, which leaves N^-1/2.  At the onset of the spin glass q^2 is of the order N^-2/3 and so is the energy's
# correction (mean-field critical scaling, a function of (T - T_g) N^1/3).  Seen at T_g of `hopfield`, alpha = 0.1, with
# N from 256 to 2048: the energy extrapolates to theory by N^-2/3 (0.001 +- 0.001 of 0.158) and q to 0 by N^-1/3
# (-0.003 +- 0.002), not by N^-1 (0.0047 +- 0.0009) and N^-1/2 (0.017 +- 0.002).  Powers after the first are those that
# sizes in reach may still show: q fell as N^-0.37 there from N = 128 to 1024.
_Powers = dict[str, float | tuple[float, ...]]
_PARAMAGNET: _Powers = {"q": 1 / 2, "m": 1 / 2}
_ONSET: _Powers = {"q": (1 / 3, 1 / 2), "m": (1 / 2, 2 / 3), **dict.fromkeys(("energy", "u2", "p_d"), (2 / 3, 1.0))}
_AT_T_G: _Powers = _ONSET | {"q": (1 / 3, 0.37)}
_SPIN_GLASS: _Powers = _ONSET | {"q": (1 / 3, 2 / 3)}
# The paramagnet by replicon N^1/3: at T_g below the first, near it below the second.
_WINDOWS = ((0.5, _AT_T_G), (3.0, _ONSET), (math.inf, _PARAMAGNET))


@dataclass(frozen=True)
class Validation:
    """A comparison with what was compared.

    Attributes
    ----------
    agreement : Agreement
        The verdict, per observable and overall.
    solutions : tuple of Solution
        Theory at the realised loads of every size.
    records : tuple of Record
        The simulations, in the same order.
    """

    agreement: Agreement
    solutions: tuple[Solution, ...]
    records: tuple[Record, ...]

    @property
    def verdict(self) -> str:
        """'agrees', 'disagrees' or 'underpowered'."""
        return self.agreement.verdict

    def to_json(self) -> dict[str, Any]:
        """The comparison in plain containers."""
        sizes = [
            {
                "N": record.N,
                "P": record.P,
                "D": record.D,
                "loads": record.loads,
                "theory": solution.order_parameters,
                "measurements": {name: m.to_json() for name, m in record.measurements.items()},
                **({} if record.sampling is None else {"equilibrated": record.equilibrated}),
            }
            for solution, record in zip(self.solutions, self.records, strict=True)
        ]
        first = self.records[0]
        head = {"model": first.model, "state": self.solutions[0].state, "L": self.solutions[0].L}
        asked = {"parameters": first.parameters, "seed": first.seed, "samples": first.samples}
        judged = self.agreement.unequilibrated
        equilibrated = {"equilibrated": not any(judged.values())} if judged else {}
        return {**head, **asked, **self.agreement.to_json(), **equilibrated, "sizes": sizes}


def validate(
    model: Any,
    state: str = "example",
    *,
    N: Sequence[int] | None = None,
    L: int | None = None,
    coefficients: str | None = None,
    L_train: int | None = None,
    samples: int = 16,
    seed: int = 0,
    engine: str = "auto",
    backend: str = "cpu",
    algorithm: str | None = None,
    sweeps: int | None = None,
    replicas: int | None = None,
    workers: int = 1,
    threads: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Solve a state and simulate it at every N, and judge whether the two agree.

    At size N there are P = round(alpha N) examples and D = round(alpha_d N) features; theory is solved at these
    realised loads, size by size.  At temperature > 0 runs of the state must be equilibrated; paramagnet and spin glass
    start from random spins, and a sample has left a condensed state when a replica's overlap falls below 0.7 of the
    theory's.

    Parameters
    ----------
    model : Model
        All loads and the temperature given.
    state : {'example', 'feature', 'mixture', 'paramagnet', 'spin-glass'}
        The state, and the start of the dynamics; the last two at temperature > 0 only.
    N : sequence of int, optional
        Sizes; with two or more the difference is extrapolated.  By default 1000, 2000, 4000 at temperature 0 and 250,
        500, 1000 above.
    L : int, optional
        Number of features in a mixture.
    coefficients : {'gaussian', 'binary', 'sparse'}, optional
        Models with features only: law of the examples.  The theory is that of dense coefficients.
    L_train : int, optional
        Sparse coefficients only: active features per example; 3 by default.
    samples, seed : int
        Disorder samples per size, and their name.
    engine, backend, algorithm, sweeps, replicas
        See :func:`numerics.simulate.simulate`.
    workers, threads : int
        Samples at a time, and threads inside one; the result does not depend on them.
    progress : callable, optional
        Called as ``progress(label, done, total)``.

    Returns
    -------
    Validation

    Raises
    ------
    InvalidInput
        For states without a simulation, or values out of range.
    NotConverged
        If the theory has no such state at the loads of some size.

    Examples
    --------
    >>> import spinodal as sp
    >>> found = sp.validate(sp.Hopfield(alpha=0.05), N=(200, 400), samples=8)
    >>> found.verdict in ("agrees", "underpowered")
    True
    """
    from numerics.arguments import check_model

    check_model(model)
    state = normalise(state, tuple(model.states), f"state of {model.name}")
    warm = bool(model.temperature)
    spelt = state.replace("_", "-")
    if state not in CONDENSED and not warm:
        raise InvalidInput(
            f"state '{spelt}' is not validated at temperature 0: the dynamics starts from a pattern and "
            "ends in a metastable state; give a temperature, or one of "
            f"{', '.join(s for s in CONDENSED if s in model.states)}."
        )
    if state in CONDENSED and algorithm == "tempering":
        raise InvalidInput(
            f"algorithm 'tempering' leaves the state '{spelt}' by way of high temperatures, and theory speaks of that "
            "state; give metropolis or heat-bath."
        )
    sizes = _sizes((SIZES_WARM if warm else SIZES) if N is None else N)
    from numerics.simulate import simulate, task
    from numerics.validate import agreement
    from theory.states import solve

    options: dict[str, Any] = {
        "start": state if state in CONDENSED else "random",
        "coefficients": coefficients,
        "L_train": L_train,
        "seed": seed,
        "engine": engine,
        "backend": backend,
        "algorithm": algorithm,
        "sweeps": sweeps,
        "replicas": replicas,
        "threads": threads,
    }
    if state == "mixture":
        options["L"] = L
    for size in sizes:
        task(model, size, **options)
    nominal = solve(model, state, L=L)  # tells at once, before hours of simulation, if there is no such state
    _refuse_saddle(nominal)
    if warm and state in CONDENSED:
        options["retrieved_above"] = _stays_above(model, nominal)
    records, solutions = [], []
    per_site = model.per_site() if hasattr(model, "per_site") else model
    for size in sizes:

        def report(done: int, total: int, size: int = size) -> None:
            if progress is not None:
                progress(f"{'sweeps' if warm else 'samples'} at N = {size}", done, total)

        record = simulate(model, size, **options, samples=samples, workers=workers, progress=report)
        records.append(record)
        solutions.append(solve(dataclasses.replace(per_site, **record.loads), state, L=L))
    predictions = [observables(model, s, r.loads["alpha"]) for s, r in zip(solutions, records, strict=True)]
    exponents: _Powers | tuple[float, ...] = powers(solutions[-1], sizes[-1]) if warm else {}
    if state in ("feature", "mixture") and getattr(model, "mixing", "scalar") == "matrix":
        exponents = _GAUGE
    verdict = agreement(predictions, records, rs_stable=solutions[-1].rs_stable, exponent=exponents)
    return Validation(verdict, tuple(solutions), tuple(records))


# Features mixed by matrices may turn (theory.vector_channels).  Their energy in one direction differs from the average
# by P^{-1/2}, and the dynamics finds the best: at d = 2, (pi/(2P))^{1/2} of the energy of a feature on average.
_GAUGE = (0.5, 1.0)


def _refuse_saddle(solution: Solution) -> None:
    """Refuse a mixture that decays into one of its members: no dynamics stays there, whatever theory says of it."""
    if solution.state == "mixture" and solution.transverse is not None and solution.transverse < 0.0:
        raise InvalidInput(
            f"the mixture of L = {solution.L} is a saddle there (transverse stability {solution.transverse:.3g}), and "
            "a simulation leaves it for one of its members; validate the state 'feature', or a mixture that is stable "
            "(solve tells: transverse stability above 0)."
        )


def powers(solution: Solution, N: int) -> _Powers:
    """Return the powers of 1/N of the phase, by observable; 1 for those not named."""
    if solution.state == "spin_glass":
        return _SPIN_GLASS
    if solution.state != "paramagnet":
        return {}
    distance = (solution.replicon or 0.0) * N ** (1 / 3)
    return next(found for window, found in _WINDOWS if distance < window)


def _stays_above(model: Any, solution: Solution) -> float:
    """Return the overlap, relative to the undisturbed state's, below which a sample has left the state.

    That is 0.7 of what temperature leaves of the theory's m; what is left of a lost state is a third at most.
    """
    m, L = solution.order_parameters["m"], solution.L or 1
    undisturbed = math.comb(L - 1, (L - 1) // 2) / 2.0 ** (L - 1)  # of a majority of L with each member
    if solution.state == "example":
        undisturbed = _mean_modulus(model.pattern_law())
    return min(0.95, 0.7 * min(1.0, float(m or 0.0) / undisturbed))


def _mean_modulus(law: Any) -> float:
    """Return E|xi|, the m of a state that has the signs of an example; vectors are examples themselves."""
    from theory.ensembles import RandomFeaturePatterns

    if not isinstance(law, RandomFeaturePatterns) or law.nonlinearity.binary:
        return 1.0
    import numpy as np
    from scipy.integrate import quad

    def weighted(x: float) -> float:
        size = abs(float(law.nonlinearity.function(np.array([x]))[0]))
        return size * math.sqrt(2.0 / math.pi) * math.exp(-0.5 * x * x)

    return float(quad(weighted, 0.0, 12.0, limit=200)[0])


def _sizes(N: Sequence[int]) -> tuple[int, ...]:
    from numerics.arguments import listed

    if isinstance(N, numbers.Number):
        raise InvalidInput(f"N = {N} is one number; give the sizes in a list, as N=[{N}].")
    return tuple(sorted(int(size) for size in listed("N", N, numbers.Integral, "1000, 2000")))


def observables(model: Any, solution: Solution, alpha: float) -> dict[str, float | None]:
    """What theory predicts for the observables of a simulation.

    With ``H/N = -(1/2) [n m^2 + alpha <u^2>] + (alpha/2) E sigma^2``, where n condensed examples contribute ``m^2``
    each and the last term removes the diagonal of J, the energy determines ``<u^2>`` of the other examples.  This is an
    identity of every configuration, so it holds for thermal averages as well.  For vectors it holds per component, with
    alpha the effective load ``n_ch P/(dN)``.

    Parameters
    ----------
    model : Model
    solution : Solution
        Converged.
    alpha : float
        Load of the solution.

    Returns
    -------
    dict of str to float
        m, t, p_d and, at temperature > 0, q as far as the model has them; energy; u2.
    """
    from theory.ensembles import IidPatterns, IsotropicPatterns

    found = {name: solution.order_parameters.get(name) for name in ("m", "t", "p_d")}
    if model.temperature:
        found["q"] = solution.order_parameters.get("q")
    found["energy"] = solution.energy
    law = model.pattern_law()
    features = not isinstance(law, IidPatterns | IsotropicPatterns)
    load, power = _amplitudes(model, law, alpha)
    if solution.state not in CONDENSED:
        found["m"] = 0.0
    # Mixtures and features condense examples only where the examples are what is mixed.
    condensed = 1 if solution.state == "example" else 0 if features else solution.L or 1
    if solution.energy is not None and found["m"] is not None:
        found["u2"] = power - (2.0 * solution.energy + condensed * found["m"] ** 2) / load
    return {name: value for name, value in found.items() if value is not None}


def _amplitudes(model: Any, law: Any, alpha: float) -> tuple[float, float]:
    """Return the load P/N per channel and component, and the mean power of an example."""
    from theory.ensembles import IsotropicPatterns, RandomFeaturePatterns, VectorRandomFeaturePatterns

    if isinstance(law, IsotropicPatterns | VectorRandomFeaturePatterns):
        from numerics.vector_observables import channels

        return channels(model.couplings, law.d) * alpha / law.d, 1.0
    if isinstance(law, RandomFeaturePatterns):
        return alpha, law.nonlinearity.kappa_1_squared + law.nonlinearity.kappa_star_squared
    return alpha, 1.0
