r"""Information about data on a nonlinear hidden manifold in Gaussian noise, replica-symmetric.

The data are ``x_0 = act(F z/sqrt(D))`` with ``E act^2 = 1`` and D = gamma N latent components, and the noisy point is
``y = sqrt(snr) x_0 + xi``.  Given F, the data are a generalised linear model of z, and x_0 says of y what z says, so
that per component

    I/N = min_q  { -(gamma/2) [q + log(1 - q)] + E_v h(sqrt(q) v, 1 - q) - (1/2) log(2 pi e) },

with h(omega, V) the entropy of one component of y given its latent field ``omega + sqrt(V) u``.  Stationarity is
``1 - q = gamma/(gamma + E_v J)`` with J the Fisher information of y about omega.  The minimum is taken over the
solutions reached from no and from full knowledge of z; they differ where there is a first-order transition.

References
----------
J. Barbier, F. Krzakala, N. Macris, L. Miolane, L. Zdeborova, PNAS 116, 5451 (2019), Eqs. (5)-(7).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.diffusion.activations import Activation
from theory.diffusion.information import Information, Value
from theory.diffusion.latent_channel import beside_kinks, inner_nodes, normal_rule, normalised
from theory.diffusion.overlap_laws import EPS
from theory.errors import InvalidInput, NotConverged, is_number
from theory.problem import Linearised, Problem
from theory.saddle import solve

__all__ = ["manifold_information"]

Array = NDArray[np.float64]
LEVELS = (1, 3, 5, 7)  # of the quadrature on which roots are polished; errors are from the next
TARGET = 1e-11
LARGEST_SNR = 1e12
LARGEST_SPREAD = 5e3  # of snr V: the square of the signal that is not known yet, whose law must be resolved


class _Averages(NamedTuple):
    """Entropy of y given the field known so far, Fisher information, and -dJ/dV."""

    entropy: float
    fisher: float
    decrease: float


def _averages(act: Callable[[Array], Array], kinks: tuple[float, ...], snr: float, V: float, level: int) -> _Averages:
    """Averages over v and y at ``1 - q = V``."""
    step, reach = 0.4 / 1.25**level, 9.0 + 0.5 * level
    # The posterior of u is narrow where the signal is strong; it must still be resolved.
    sharp = max(1.0, math.sqrt(snr * V) * 0.5)
    known = math.sqrt(max(0.0, 1.0 - V))
    outer = normal_rule(step, 8.5, beside_kinks(kinks, known, V))
    omega, total = known * outer.x, np.zeros(3)
    u, w = inner_nodes(omega, V, step / sharp, reach, kinks)
    root = math.sqrt(V)
    for k in range(omega.size):
        if outer.w[k] < 1e-18:
            continue
        uk, wk = (u[0], w[0]) if len(u) == 1 else (u[k], w[k])
        inside = wk > 1e-22
        uk, wk = uk[inside], wk[inside]
        mean = math.sqrt(snr) * act(omega[k] + root * uk)
        y = np.arange(mean.min() - reach, mean.max() + reach + 1.2 * step, 1.2 * step)
        if kinks:  # a step leaves a gap in which there is no y
            ordered = np.append(np.sort(mean), np.inf)
            after = np.searchsorted(ordered, y)
            y = y[np.minimum(ordered[after] - y, np.abs(y - ordered[after - 1])) < reach + 1.2 * step]
        e = np.exp(-0.5 * (y[:, None] - mean) ** 2) * (wk / math.sqrt(2.0 * math.pi))
        z0 = e.sum(axis=1)
        seen = z0 > 1e-290
        z0 = z0[seen]
        z1 = (e[seen] @ uk) / (root * z0)
        z2 = (e[seen] @ (uk * uk - 1.0)) / (V * z0)
        weight = outer.w[k] * 1.2 * step * z0
        total += weight @ np.stack([-np.log(z0), z1 * z1, (z2 - z1 * z1) ** 2], axis=1)
    return _Averages(*map(float, total))


def manifold_information(gamma: float, act: str | Activation | Callable[[Array], Any] = "tanh") -> Information:
    """Information function of the nonlinear hidden manifold, for `collapse`.

    Parameters
    ----------
    gamma : float
        D/N.
    act : str, Activation or callable
        Normalised here to unit second moment.

    Raises
    ------
    InvalidInput
        For numbers out of range, or an unsuitable activation.

    Examples
    --------
    >>> from theory.diffusion.information import linear_manifold_information
    >>> one, two = manifold_information(0.5, "linear")(2.0), linear_manifold_information(0.5)(2.0)
    >>> abs(one.value - two.value) < 1e-10
    True
    """
    if not is_number(gamma) or not 1e-4 <= gamma <= 1e4:
        raise InvalidInput(f"gamma = {gamma} is not allowed; give D/N with 0.0001 <= gamma <= 10000.")
    made = normalised(act)

    def averages(snr: float, V: float, level: int) -> _Averages:
        return _averages(made.function, made.kinks, snr, V, level)

    def problem(level: int, *, finer: bool = True) -> Problem:
        def linearise(x: Array, p: Array) -> Linearised:
            f, d = np.empty_like(x), np.empty((len(x), 1, 1))
            for k, (row, q) in enumerate(zip(x, p, strict=True)):
                V = math.exp(float(row[0]))
                a = averages(float(q[0]), V, level)
                f[k, 0] = row[0] + math.log1p(a.fisher / gamma)
                d[k, 0, 0] = 1.0 - V * a.decrease / (gamma + a.fisher)
            return Linearised(f, d, np.full((len(x), 1, 1), np.nan))

        return Problem(
            residual=lambda x, p: linearise(x, p).residual,
            linearise=linearise,
            lower=np.array([-40.0]),
            upper=np.array([0.0]),
            refined=problem(level + 1, finer=False) if finer else None,
            names=("log(1 - q)",),
            parameter_names=("snr",),
        )

    def value(snr: float, V: float, level: int) -> float:
        return (
            -0.5 * gamma * (1.0 - V + math.log(V))
            + averages(snr, V, level).entropy
            - 0.5 * math.log(2.0 * math.pi * math.e)
        )

    def settled(snr: float, start: float) -> float:
        """The solution towards which knowledge grows, or shrinks, from a start."""
        V = start
        for _ in range(200):
            if snr * V > LARGEST_SPREAD:
                raise _too_sharp()
            new = gamma / (gamma + averages(snr, V, 0).fisher)
            V, change = new, abs(new - V)
            if change < 1e-3 * new:
                break
        return V

    ignorant: dict[float, float] = {0.0: 1.0}

    def least_known(snr: float) -> float:
        """The solution reached from no knowledge, which falls with snr: followed, as V = 1 is costly at large snr."""
        near = max(s for s in ignorant if s <= snr)
        V, step = ignorant[near], max(10.0 * near, 10.0)
        while step < snr:
            V = ignorant[step] = settled(step, V)
            step *= 10.0
        V = ignorant[snr] = settled(snr, V)
        return V

    def information(snr: float) -> Value:
        if snr <= 0.0:
            return Value(0.0, 0.0)
        if snr > LARGEST_SNR:
            raise _too_sharp()
        starts = [least_known(snr), settled(snr, min(0.5, 1e-2 / (1.0 + snr)))]
        if abs(starts[0] - starts[1]) < 0.05 * starts[0]:
            starts = starts[:1]
        found = []
        for start in starts:
            x = np.array([math.log(start)])
            for level in LEVELS:
                roots = solve(problem(level), x, [snr], throw=level == LEVELS[-1])
                if not roots.converged.all():
                    continue
                x = roots.x[0]
                one, two = (value(snr, math.exp(x[0]), k) for k in (level, level + 1))
                if abs(one - two) < TARGET:
                    break
            # y is of the size sqrt(snr), and is told to within its rounding
            found.append(Value(two, abs(one - two) + EPS * (5.0 * (1.0 + gamma) + math.sqrt(snr))))
        return min(found, key=lambda v: v.value)

    return information


def _too_sharp() -> NotConverged:
    return NotConverged(
        f"alpha is reached only beyond a signal-to-noise ratio of {LARGEST_SNR:g} ({LARGEST_SPREAD:g} in what is not "
        "known yet), where the quadrature of the curved manifold does not go, if at all; give a smaller alpha, or more "
        "latent directions."
    )
