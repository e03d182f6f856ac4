r"""The T = 0 equations behind the published lines of arXiv:2303.16880, for comparison with them only.

Two equations differ from the stationarity conditions of the free energy (our :class:`RandomFeatures`):

* *storage*: the overlap t of the state with the example's latent field, and its conjugate, are set to zero.
  A state close to the example has ``t = kappa_1``, whatever the loads;
* *learning*: ``X = kappa_1^2 (kappa_1^2 p_d + kappa_*^2) / Delta_1`` with Delta_1 where ``df/dp = 0`` gives
  Delta_1^2.

Both variants are derived here from the one free energy of the model, and follow the published points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from theory import continuation, saddle
from theory.equations import Equations
from theory.models.random_features import RandomFeatures
from theory.states import solve

__all__ = [
    "PublishedBranch",
    "PublishedLine",
    "PublishedStates",
    "learning_equations",
    "published_line",
    "storage_equations",
]

Array = NDArray[np.float64]
X, t, t_hat = sympy.symbols("X t t_hat")


def storage_equations(model: RandomFeatures) -> Equations:
    """The example's equations on the manifold t = t_hat = 0, which is not stationary in t_hat."""
    f = model.ground_state_energy("example", 1).restricted({t: sympy.S.Zero, t_hat: sympy.S.Zero})
    return _compiled(model, f)


def learning_equations(model: RandomFeatures) -> Equations:
    """The feature's equations with Delta_1 in place of Delta_1^2 in the one for X: no gradient of any free energy."""
    f = model.ground_state_energy("feature", 1)
    equations = _compiled(model, f)
    Delta_1, k = f.interior[0], equations.variables.index(X)
    residual = list(equations.residual)
    residual[k] = X - (X - residual[k]) * Delta_1
    # Everything else is derived from the residual when first asked for.
    equations.__dict__["residual"] = residual
    return equations


@lru_cache
def _equations(state: str) -> Equations:
    """Compiled once; loads are parameters of the equations."""
    return storage_equations(RandomFeatures()) if state == "example" else learning_equations(RandomFeatures())


@lru_cache
def _constants() -> tuple[float, ...]:
    return tuple(float(sympy.N(v)) for v in RandomFeatures().constants().values())


def _compiled(model: RandomFeatures, f: Any) -> Equations:
    return Equations(f, [p.name for p in model.parameters], list(model.constants()))


@dataclass(frozen=True)
class PublishedBranch:
    """A state of the published equations followed in alpha up to its spinodal.

    Attributes
    ----------
    alpha_d : float
    state : {'example', 'feature'}
    span : (float, float)
        Range of alpha.
    """

    alpha_d: float
    state: str
    span: tuple[float, float]

    def compute(self) -> dict[str, Array]:
        """Solve; returns alpha and, along it, m, t, p_d and u2, up to the fold if it is within the span."""
        low, high = self.span
        first, last = (low, high) if self.state == "example" else (high, low)
        branch = _followed(self.alpha_d, self.state, first, last)
        alpha, rows = branch.parameter.copy(), branch.x.copy()
        if branch.folds:  # the last step went past it
            alpha[-1], rows[-1] = branch.folds[0].parameter, branch.folds[0].x
        x = dict(zip(branch.names, rows.T, strict=True))
        return {"alpha": alpha, "m": x["m"], "t": np.zeros_like(alpha), "p_d": x["p_d"], "u2": x["X"] / _constants()[0]}


@dataclass(frozen=True)
class PublishedStates:
    """A state of the published equations at given alpha.

    Attributes
    ----------
    alpha_d : float
    state : {'example', 'feature'}
    values : tuple of float
        alpha, inside the phase of the published equations.
    """

    alpha_d: float
    state: str
    values: tuple[float, ...]

    def compute(self) -> dict[str, Array]:
        """Solve; returns alpha, all variables, and u2."""
        equations, k = _equations(self.state), _constants()
        p = np.array([[alpha, self.alpha_d, 0.0, *k] for alpha in self.values])
        inside, last = _range(self.alpha_d, self.state)
        last = max(self.values) * 1.01 if last > inside else min(self.values) * 0.99
        branch = _followed(self.alpha_d, self.state, inside, last)
        # The branch stops at its fold, where two solutions meet; every value lies before it.
        start = np.array([branch.x[np.abs(np.log(branch.parameter / alpha)).argmin()] for alpha in self.values])
        x = dict(zip(equations.names, saddle.solve(equations.problem(), start, p).x.T, strict=True))
        return {"alpha": p[:, 0], **x, "u2": x["X"] / k[0]}


@dataclass(frozen=True)
class PublishedLine:
    """A spinodal of the published equations as alpha at given alpha_d.

    Attributes
    ----------
    state : {'example', 'feature'}
    values : tuple of float
        alpha_d.
    """

    state: str
    values: tuple[float, ...]

    def compute(self) -> tuple[Array, Array]:
        """Solve for alpha at each alpha_d; returns both."""
        return np.array(self.values), published_line(self.state, self.values)


def published_line(state: str, values: tuple[float, ...]) -> Array:
    """Return the spinodal alpha of the published equations at each alpha_d; NaN where there is none.

    Parameters
    ----------
    state : {'example', 'feature'}
        Storage (t = 0) or learning (without the square).
    values : tuple of float
        alpha_d.

    Examples
    --------
    >>> [f"{alpha:.8f}" for alpha in published_line("example", (0.2, 1.0))]
    ['0.09956719', '0.12532900']
    >>> [f"{alpha:.9f}" for alpha in published_line("feature", (0.01, 0.05))]
    ['0.092907388', '0.780503841']
    """
    out = np.full(len(values), np.nan)
    for i, alpha_d in enumerate(values):
        folds = _followed(alpha_d, state, *_range(alpha_d, state)).folds
        if folds:
            out[i] = folds[0].parameter
    return out


def _range(alpha_d: float, state: str) -> tuple[float, float]:
    """From deep inside the phase outwards: examples live at low alpha, features at high alpha."""
    return (1e-3 * alpha_d, 1e3) if state == "example" else (1e3 * alpha_d, 1e-9)


def _followed(alpha_d: float, state: str, first: float, last: float) -> continuation.Branch:
    """The branch from alpha = `first`, inside the phase, to its fold or alpha = `last`."""
    model = RandomFeatures(alpha=first, alpha_d=alpha_d)
    equations = _equations(state)
    # Deep inside the phase both variants are close to the model itself.
    ours = solve(model, state).order_parameters
    start = np.array([[ours[name] for name in equations.names]], float)
    p = np.array([first, alpha_d, 0.0, *_constants()])
    roots = saddle.solve(equations.problem(), start, p)
    return continuation.trace(
        equations.problem(),
        roots.x[0],
        p,
        0,
        towards=1 if last > first else -1,
        span=(min(first, last), max(first, last)),
        stop_at_fold=True,
        largest_step=0.3,
    )
