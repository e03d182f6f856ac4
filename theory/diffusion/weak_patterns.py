r"""The weakest of exponentially many patterns on a hidden manifold, and the load at which it is lost.

Pattern 1 is lost at the load alpha where ``alpha + zeta(l; z_1) >= l rho(z_1)`` for every ``l <= lambda``, with ``rho =
|xi_1|^2/N``; some of the ``exp(alpha N)`` patterns is, where the rate of such z_1 is alpha.  With

    Lambda(s, l) = lim (1/N) log E_{z_1} exp(s N [zeta(l; z_1) - l rho(z_1)])

that rate is ``max_{s,l} (-s alpha - Lambda)``, and therefore

    alpha_c(lambda) = max_{s >= 0, l <= lambda} -Lambda(s, l)/(1 + s).

Lambda is a replica calculation with a finite number s of replicas of the other pattern, whose latent vectors overlap
with z_1 and with one another.  Replica-symmetric, with R the norm of z_1, ``c R`` the overlap with it, ``q_0 = c^2 R +
r`` the mutual overlap and ``q_d = q_0 + V`` the norm of the others, all over D,

    Lambda = (gamma/2) [log R + (s-1) log V + log(V + s r) - R - s (c^2 R + r + V) + 1 + s] + log E exp(s phi),
    phi = g - l y^2,      g = log E_u exp(l y act(c u_1 + sqrt(r) h + sqrt(V) u)),      y = act(u_1),  u_1 ~ N(0, R).

Stationarity, with < > weighted by ``exp(s phi)``, reads

    gamma c R = <u_1 g'>,   gamma r = V (V + s r) <g'^2>,   V (1 - <g''>/gamma) = 1,
    gamma R (1 - R - s c^2 R) = R - <u_1^2>,   (1 + s) dLambda/ds = Lambda,   <dphi/dl> = 0,

the last where a larger lambda gains nothing.  F is quenched; where ``act`` is odd, weak patterns of one F have no
overlap with one another (z -> -z is a symmetry), as long as ``|k - 1| < 1/sqrt(gamma)`` for the eigenvalues k of the
matrix of overlaps.  Replica symmetry among the others is stable where ``V^2 <g''^2> < gamma``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.continuation import StopReason, trace
from theory.diffusion.latent_channel import CHUNK, LogAverages, Normalised, beside_kinks, log_averages, normal_rule
from theory.diffusion.overlap_laws import EPS
from theory.errors import NotConverged
from theory.problem import Linearised, Problem
from theory.saddle import solve

__all__ = ["WeakPatterns", "Weakest"]

Array = NDArray[np.float64]
LEVELS = (2, 3, 4, 5, 6)  # of the quadrature on which roots are polished; errors are from the next
TARGET = 1e-12
FIRST_TILT, LARGEST_TILT = 0.02, 1e8  # s between which saddle points are followed
EDGE = 1e-17  # share of the weight that may lie at the ends of the rules


class _Averages(NamedTuple):
    """``log E exp(s phi)`` and its gradient in (c, r, V, R, s, lambda); six weighted averages and their derivatives."""

    log_mass: float
    gradient: Array
    mean: Array
    derivative: Array
    curved: float


@dataclass(frozen=True)
class Weakest:
    """The load at which the weakest pattern is lost.

    Attributes
    ----------
    alpha_c, error : float
    lam : float
        The l of the maximum: lambda, or less where a larger one gains nothing.
    tilt : float
        s of the maximum; the rate of the weakest pattern has the slope -s there.
    R, c, r, V : float
        Order parameters.
    replicon, apart : float
        Positive where replica symmetry among the others, and no overlap among weak patterns of one F, are locally
        stable.  Where weak patterns overlap `alpha_c` is a lower bound (their number averaged over F, too).
    """

    alpha_c: float
    error: float
    lam: float
    tilt: float
    R: float
    c: float
    r: float
    V: float
    replicon: float
    apart: float


class WeakPatterns:
    """Large deviations of a pattern of an odd activation.

    Parameters
    ----------
    gamma : float
        D/N.
    act : Normalised
        Odd, of unit second moment.
    """

    def __init__(self, gamma: float, act: Normalised) -> None:
        self.gamma, self.act = gamma, act
        self._stretch = [1.0, 1.0]  # of the reach in u_1 and in h, where the weight is wider than a normal law

    def _averages(self, at: Array, level: int) -> _Averages:
        while True:
            found, edges = self._within_reach(at, level)
            wide = [k for k in (0, 1) if edges[k] > EDGE and self._stretch[k] < 30.0]
            if not wide:
                return found
            for k in wide:
                self._stretch[k] *= 1.3

    def _within_reach(self, at: Array, level: int) -> tuple[_Averages, tuple[float, float]]:
        """Averages, and the shares of the weight at the ends of the rules of u_1 and h."""
        c, r, V, R, s, lam = map(float, at)
        act, kinks = self.act.function, self.act.kinks
        step, reach = 0.4 / 1.25**level, 9.0 + 0.5 * level
        root = math.sqrt(R)
        edges = beside_kinks(kinks, abs(c), V)
        first = normal_rule(step, reach * self._stretch[0], tuple(k / root for k in edges))
        field = normal_rule(2.0 * step, 8.5 * self._stretch[1])
        half = first.x >= 0.0  # (u_1, h) -> -(u_1, h)
        x, h = np.repeat(first.x[half], field.x.size), np.tile(field.x, int(half.sum()))
        w = np.outer(first.w[half] * np.where(first.x[half] > 0.0, 2.0, 1.0), field.w).ravel()
        u = root * x
        y = act(u)
        omega = c * u + math.sqrt(max(r, 0.0)) * h
        n = LogAverages(
            *np.concatenate(
                [
                    log_averages(act, y[k : k + CHUNK], omega[k : k + CHUNK], V, lam, rule=(step, reach), kinks=kinks)
                    for k in range(0, y.size, CHUNK)
                ],
                axis=1,
            )
        )
        phi, slope = n.g - lam * y * y, n.t - y * y
        with np.errstate(divide="ignore"):
            log_w = np.log(w) + s * phi
        top = float(log_w.max())
        p = np.exp(log_w - top)
        mass = float(p.sum())
        p /= mass
        g1, g2, square = n.g1, n.g2, n.g1 * n.g1
        zero = np.zeros_like(u)
        f = np.stack([u * g1, square, g2, u * u, phi, slope])
        tilt = np.stack(
            [s * g1 * u, 0.5 * s * (g2 + s * square), 0.5 * s * (g2 + square), 0.5 * (x * x - 1.0) / R, phi, s * slope]
        )
        f_1 = np.stack([u * g2, 2.0 * g1 * g2, n.g3, zero, g1, n.t1])
        f_2 = np.stack([u * n.g3, 2.0 * (g2 * g2 + g1 * n.g3), n.g4, zero, g2, n.t2])
        f_V = np.stack([u * n.g1_V, 2.0 * g1 * n.g1_V, n.g2_V, zero, 0.5 * (g2 + square), n.t_V])
        f_lam = np.stack([u * n.t1, 2.0 * g1 * n.t1, n.t2, zero, slope, n.t_lam])
        mean, drift = f @ p, tilt @ p
        derivative = (f * p) @ tilt.T - np.outer(mean, drift)
        derivative[:, 0] += f_1 @ (p * u)
        derivative[:, 1] += (0.5 * f_2 + s * f_1 * g1) @ p
        derivative[:, 2] += f_V @ p
        derivative[:, 5] += f_lam @ p
        share = p.reshape(-1, field.x.size)
        edges = float(share[-1].sum()), float(share[:, 0].sum() + share[:, -1].sum())
        return _Averages(top + math.log(mass), drift, mean, derivative, float((g2 * g2) @ p)), edges

    def _exponent(self, at: Array, level: int) -> float:
        """Lambda(s, lambda) at order parameters."""
        return self._entropy(at) + self._averages(at, level).log_mass

    def _entropy(self, at: Array) -> float:
        """Its part that does not know the activation."""
        c, r, V, R, s, _ = map(float, at)
        volume = math.log(R) + (s - 1.0) * math.log(V) + math.log(V + s * r)
        return 0.5 * self.gamma * (volume - R - s * (c * c * R + r + V) + 1.0 + s)

    def _equations(self, at: Array, level: int) -> tuple[Array, Array]:
        """Residuals (6,) and their derivatives (6, 6) in (c, r, V, R, s, lambda)."""
        c, r, V, R, s, _ = map(float, at)
        if not (V > 0.0 and R > 0.0):  # a predictor that has left the domain
            return np.full(6, np.nan), np.full((6, 6), np.nan)
        a, g = self._averages(at, level), self.gamma
        A, B, C, U, phi, slope = a.mean.tolist()
        dA, dB, dC, dU, d_phi, d_slope = a.derivative
        W, known = V + s * r, 1.0 - C / g
        q = c * c * R + r + V
        exponent = self._entropy(at) + a.log_mass
        by_s = 0.5 * g * (math.log(V) + r / W - q + 1.0) + phi
        f = np.array(
            [
                c - A / (g * R),
                r - V * W * B / g,
                V - 1.0 / known,
                R * (1.0 + s * c * c) - 1.0 - (U / R - 1.0) / g,
                (1.0 + s) * by_s - exponent,
                slope,
            ]
        )
        d = np.stack([-dA / (g * R), -V * W * dB / g, -dC / (g * known**2), -dU / (g * R), (1.0 + s) * d_phi, d_slope])
        d[0, 0] += 1.0
        d[0, 3] += A / (g * R * R)
        d[1] += [0.0, 1.0 - V * s * B / g, -(W + V) * B / g, 0.0, -V * r * B / g, 0.0]
        d[2, 2] += 1.0
        d[3] += [2.0 * R * s * c, 0.0, 0.0, 1.0 + s * c * c + U / (g * R * R), R * c * c, 0.0]
        q_by = np.array([2.0 * c * R, 1.0, 1.0, c * c, 0.0, 0.0])
        d[4] += (1.0 + s) * 0.5 * g * (np.array([0.0, V / W**2, 1.0 / V - r / W**2, 0.0, -r * r / W**2, 0.0]) - q_by)
        by_V = (s - 1.0) / V + 1.0 / W
        gradient = 0.5 * g * (np.array([0.0, s / W, by_V, 1.0 / R - 1.0, 0.0, 0.0]) - s * q_by) + a.gradient
        gradient[4] = 0.0  # (1 + s) dLambda/ds - Lambda: what the first factor adds, the second term takes away
        d[4] -= gradient
        scale = (1.0 + g) / g  # exponents are of the order of gamma where that is small
        f[4], d[4] = scale * f[4], scale * d[4]
        return f, d

    def problem(self, unknowns: int, level: int, *, finer: bool = True) -> Problem:
        """The first equations, for as many unknowns of (c, r, V, R, s, lambda); the others are parameters."""

        def linearise(x: Array, p: Array) -> Linearised:
            both = [self._equations(np.append(row, q), level) for row, q in zip(x, p, strict=True)]
            f, d = np.stack([b[0] for b in both]), np.stack([b[1] for b in both])
            return Linearised(f[:, :unknowns], d[:, :unknowns, :unknowns], d[:, :unknowns, unknowns:])

        names = ("c", "r", "V", "R", "s", "lambda")
        return Problem(
            residual=lambda x, p: linearise(x, p).residual,
            linearise=linearise,
            interior=lambda x, p: x[:, 2:3] - 1e-14,  # bounds have slack
            lower=np.array([-np.inf, 0.0, 0.0, 1e-9, 0.0, 0.0])[:unknowns],
            upper=np.full(unknowns, np.inf),
            refined=self.problem(unknowns, level + 1, finer=False) if finer else None,
            names=names[:unknowns],
            parameter_names=names[unknowns:],
        )

    def weakest(self, lam: float, typical: Array, saturation: float | None) -> Weakest:
        """Solve for alpha_c.

        Parameters
        ----------
        lam : float
        typical : (3,) array
            (m, r, V) of a typical pattern at the smaller one of lambda and `saturation`.
        saturation : float or None
            The lambda from which a typical pattern gains nothing.

        Raises
        ------
        NotConverged
            If the saddle point was not reached.
        """
        begin = lam if saturation is None else min(lam, saturation)
        at, level = self._polished(self._tilted(np.array([*typical, 1.0, FIRST_TILT, begin])), 5)
        falls = self._equations(at, level)[0][5] > 0.0  # alpha_c as a function of lambda
        if falls or lam > begin:
            at, level = self._polished(at, 6)
            if at[5] > lam:
                at, level = self._moved(at, lam)
        return self._answer(at, level)

    def _tilted(self, at: Array) -> Array:
        """Follow the saddle point in s until alpha_c(s) falls; rough."""

        def falls(x: Array, p: Array) -> float:
            return float(self._equations(np.append(x, p), 0)[0][4])

        x = solve(self.problem(4, 0, finer=False), at[:4], at[4:]).x[0]
        branch = trace(
            self.problem(4, 0),
            x,
            at[4:],
            0,
            towards=1,
            span=(0.5 * at[4], LARGEST_TILT),
            stop=lambda x, s: falls(x, np.array([s, at[5]])) > 0.0,
            events={"maximum": falls},
        )
        if not branch.special:
            raise NotConverged(
                f"the tilted saddle point of weak patterns ends at s = {branch.parameter[-1]:.4g} "
                f"({branch.stopped.value}), so alpha_c was not reached; ask for another lambda or gamma."
            )
        top = branch.special[0]
        return np.array([*top.x, top.parameter, at[5]])

    def _moved(self, at: Array, lam: float) -> tuple[Array, int]:
        """The stationary point in s, followed to another lambda."""
        up = lam > at[5]
        span = (0.5 * at[5], lam) if up else (lam, 2.0 * at[5])
        branch = trace(self.problem(5, 0), at[:5], at[5:], 0, towards=1 if up else -1, span=span)
        if branch.stopped is not StopReason.SPAN_END:
            raise NotConverged(
                f"the saddle point of the weakest pattern ends at lambda = {branch.parameter[-1]:.6g}, on the way to "
                f"{lam:g}: {branch.stopped.value}; ask for a lambda nearer to where alpha_1 saturates."
            )
        log = np.log(branch.parameter[-2:])
        w = (math.log(lam) - log[0]) / (log[1] - log[0])
        return self._polished(np.append((1.0 - w) * branch.x[-2] + w * branch.x[-1], lam), 5)

    def _polished(self, at: Array, unknowns: int) -> tuple[Array, int]:
        """Newton on finer and finer rules until alpha_c keeps its value; the point, and the level of its rule."""
        for level in LEVELS:
            last = level == LEVELS[-1]
            found = solve(self.problem(unknowns, level), at[:unknowns], at[unknowns:], throw=last)
            if found.converged.all():
                at = np.append(found.x[0], at[unknowns:])
                one, two = self._load(at, level), self._load(at, level + 1)
                if abs(one - two) <= TARGET * (1.0 + abs(two)):
                    break
        return at, level

    def _load(self, at: Array, level: int) -> float:
        return -self._exponent(at, level) / (1.0 + float(at[4]))

    def _answer(self, at: Array, level: int) -> Weakest:
        c, r, V, R, s, lam = map(float, at)
        value, finer = self._load(at, level), self._load(at, level + 1)
        # alpha_c is stationary in everything: only its quadrature, rounding and the normalisation of act count.
        sizes = abs(math.log(R)) + s * (abs(math.log(V)) + c * c * R + r + abs(V - 1.0)) + abs(R - 1.0)
        rounding = 8.0 * EPS * (self.gamma * sizes / (1.0 + s) + abs(finer))
        error = abs(value - finer) + rounding + 2.0 * self.act.error * lam
        q_0, M = c * c * R + r, c * R
        norms = np.linalg.eigvalsh([[R, math.sqrt(s) * M], [math.sqrt(s) * M, V + s * q_0]])
        apart = 1.0 - math.sqrt(self.gamma) * max(abs(V - 1.0), *np.abs(norms - 1.0).tolist())
        replicon = 1.0 - V * V * self._averages(at, level).curved / self.gamma
        return Weakest(finer, error, lam, s, R, c, r, V, replicon, apart)
