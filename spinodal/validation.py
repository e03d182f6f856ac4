"""Theory and simulation of one state, side by side, at growing N."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from theory.errors import InvalidInput
from theory.model import normalise

if TYPE_CHECKING:
    from numerics.records import Record
    from numerics.validate import Agreement
    from theory.states import Solution

__all__ = ["Validation", "observables", "validate"]

# A quench ends in a metastable state whose energy the replica-symmetric spin glass does not describe.
STATES = ("example", "feature", "mixture")


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
            }
            for solution, record in zip(self.solutions, self.records, strict=True)
        ]
        first = self.records[0]
        head = {"model": first.model, "state": self.solutions[0].state, "L": self.solutions[0].L}
        asked = {"parameters": first.parameters, "seed": first.seed, "samples": first.samples}
        return {**head, **asked, **self.agreement.to_json(), "sizes": sizes}


def validate(
    model: Any,
    state: str = "example",
    *,
    N: Sequence[int] = (1000, 2000, 4000),
    L: int | None = None,
    coefficients: str = "gaussian",
    L_train: int = 3,
    samples: int = 16,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Validation:
    """Solve a state and simulate it at every N, and judge whether the two agree.

    At size N there are P = round(alpha N) examples and D = round(alpha_d N) features; theory is solved at these
    realised loads, size by size.

    Parameters
    ----------
    model : Model
        All loads given, temperature 0.
    state : {'example', 'feature', 'mixture'}
        The state, and the start of the dynamics.
    N : sequence of int
        Sizes; with two or more the difference is extrapolated.
    L : int, optional
        Number of features in a mixture.
    coefficients : {'gaussian', 'binary', 'sparse'}
        Law of the examples.  The theory is that of dense coefficients.
    L_train : int
        Active features per example, for sparse coefficients.
    samples, seed : int
        Disorder samples per size, and their name.
    workers : int
        Threads; the result does not depend on it.
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
    state = normalise(state, tuple(model.states), f"state of {model.name}")
    if state not in STATES:
        raise InvalidInput(
            f"state '{state.replace('_', '-')}' is not validated: the dynamics starts from a pattern and ends in a "
            f"metastable state; give one of {', '.join(s for s in STATES if s in model.states)}."
        )
    sizes = _sizes(N)
    from numerics.simulate import simulate, task
    from numerics.validate import agreement
    from theory.states import solve

    options: dict[str, Any] = {"start": state, "coefficients": coefficients, "L_train": L_train, "seed": seed}
    if state == "mixture":
        options["L"] = L
    for size in sizes:
        task(model, size, **options)
    solve(model, state, L=L)  # tells at once, before hours of simulation, if there is no such state
    records, solutions = [], []
    for size in sizes:

        def report(done: int, total: int, size: int = size) -> None:
            if progress is not None:
                progress(f"samples at N = {size}", done, total)

        record = simulate(model, size, **options, samples=samples, workers=workers, progress=report)
        records.append(record)
        solutions.append(solve(dataclasses.replace(model, **record.loads), state, L=L))
    predictions = [observables(model, s, r.loads["alpha"]) for s, r in zip(solutions, records, strict=True)]
    verdict = agreement(predictions, records, rs_stable=solutions[-1].rs_stable)
    return Validation(verdict, tuple(solutions), tuple(records))


def _sizes(N: Sequence[int]) -> tuple[int, ...]:
    if isinstance(N, int):
        raise InvalidInput(f"N = {N} is one number; give the sizes in a list, as N=[{N}].")
    sizes = tuple(sorted(N))
    if not sizes or len(set(sizes)) < len(sizes):
        raise InvalidInput(f"N = {', '.join(map(str, N)) or 'nothing'} is not allowed; give different sizes.")
    return sizes


def observables(model: Any, solution: Solution, alpha: float) -> dict[str, float | None]:
    """What theory predicts for the observables of a simulation at T = 0.

    With ``H/N = -(1/2) [n m^2 + alpha <u^2>] + (alpha/2) E sigma^2``, where n condensed examples contribute ``m^2``
    each and the last term removes the diagonal of J, the energy determines ``<u^2>`` of the other examples.

    Parameters
    ----------
    model : Model
    solution : Solution
        At T = 0, converged.
    alpha : float
        Load of the solution.

    Returns
    -------
    dict of str to float
        m, t and p_d as far as the model has them; energy; u2.
    """
    from theory.ensembles import RandomFeaturePatterns

    found = {name: solution.order_parameters.get(name) for name in ("m", "t", "p_d")}
    found["energy"] = solution.energy
    law = model.pattern_law()
    features = isinstance(law, RandomFeaturePatterns)
    power = law.nonlinearity.kappa_1_squared + law.nonlinearity.kappa_star_squared if features else 1.0
    # Mixtures and features condense examples only where the examples are what is mixed.
    condensed = 1 if solution.state == "example" else 0 if features else solution.L or 1
    if solution.energy is not None and found["m"] is not None:
        found["u2"] = power - (2.0 * solution.energy + condensed * found["m"] ** 2) / alpha
    return {name: value for name, value in found.items() if value is not None}
