"""Isotropic replica-symmetric states of scalar couplings do not order along an axis.

Scalar couplings leave the overlaps of a replica with itself free, ``R_ab = sum_i s_ia s_ib/N`` with tr R = d.  With the
pattern and feature part eliminated the free energy of d x d matrices is, per component,

    f = tr[T W(chi) - R(chi) (Q - T chi)/2 + Sigma chi/2 + Gamma Q/2 - C(chi) M M^T/2 + M_hat^T M]/d - (T/d) E ln Z,

``R = alpha [kappa_*^2/Delta_1 + dp_hat/Delta_2] = -2 W'``, ``C = alpha_T dp_hat``, one spin in a field of covariance
Sigma with the anisotropy ``s.Gamma s/2`` (Q the self-overlap, ``Q - T chi`` that of two replicas).  A symmetric
traceless perturbation is fed back by these functions' derivatives; an ordered state would branch off where that
feedback has an eigenvalue 1.
"""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from scipy.special import ive

from theory.models.vector_random_features import VectorRandomFeatures, kappa_1_squared
from theory.states import solve

STEPS = ((1, 8 / 12), (-1, -8 / 12), (2, -1 / 12), (-2, 1 / 12))


def feedback(model, state):
    """Feedback of d = 2 perturbations ``diag(1, -1)``, by quadrature over the field and differences in its law."""
    at, T, first = solve(model, state).order_parameters, model.temperature, float(kappa_1_squared(2))
    ratio, rest, q = model.alpha / model.alpha_d, 1 - first, at["q"]
    chi, start = (1 - q) / T, at["p_d_hat"] - at["p_hat"]

    def dp_hat(c):
        return mpmath.findroot(lambda y: y * (1 - first * c / (1 - ratio * y * c) - rest * c) - first, start)

    def reaction(c):
        y = dp_hat(c)
        second = 1 - ratio * y * c
        return model.alpha * (rest / (1 - first * c / second - rest * c) + y / second)

    with mpmath.workdps(40):
        R1, R2 = (float(mpmath.diff(reaction, chi, n)) for n in (1, 2))
        C0, C1, C2 = (float(ratio * mpmath.diff(dp_hat, chi, n)) for n in (0, 1, 2))
    overlap = {"example": at.get("t"), "feature": at.get("m")}.get(state, 0.0)
    noise = model.alpha * at["q_hat"]
    assert R1 * q + C1 * overlap**2 == pytest.approx(noise, rel=1e-9)  # the elimination is right

    if state == "example":
        square, weight = np.polynomial.laguerre.laggauss(10)  # |x|^2/2 is exponential
        means = [
            (w, at["m"], at["t_hat"] * r, 1.0, r) for w, r in zip(weight, np.sqrt(square), strict=True) if w > 1e-12
        ]
    elif state == "feature":
        means = [(1.0, 0.0, at["m_hat"], 0.0, 1.0)]
    else:
        means = [(1.0, 0.0, 0.0, 0.0, 0.0)]
    top = max(np.sqrt(2) * (a + b) for _, a, b, _, _ in means) + 9 * np.sqrt(noise)
    edges = [0, 3 * T, 10 * T, *np.linspace(10 * T, top, 9)[1:]] if 80 * T < top else np.linspace(0, top, 9)
    x, w = np.polynomial.legendre.leggauss(24)
    r = np.concatenate([0.5 * (b + a) + 0.5 * (b - a) * x for a, b in itertools.pairwise(edges)])
    measure = np.concatenate([0.5 * (b - a) * w for a, b in itertools.pairwise(edges)]) * r
    angle = 2 * np.pi * (np.arange(64) + 0.5) / 64
    h = r[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    z = np.sqrt(2) * r / T
    second, fourth = ive(2, z) / ive(0, z), ive(4, z) / ive(0, z)
    cosine = second[:, None] * np.cos(2 * angle)
    g = (T * (np.log(ive(0, z)) + z))[:, None], cosine
    variance = (0.5 + 0.5 * fourth[:, None] * np.cos(4 * angle) - cosine**2) / T
    pattern = np.sqrt(2) * np.stack([np.cos(angle - angle[0]), np.sin(angle - angle[0])], axis=1)

    def density(moved):
        """Of the field, with its covariance and the two parts of its mean stretched along the first axis."""
        out = np.zeros(h.shape[:2])
        width = noise + moved[0] * np.array([1.0, -1.0])
        for share, own, latent, by_own, by_latent in means:
            stretch = (moved[1] * by_own + moved[2] * by_latent) * np.array([1.0, -1.0])
            for n in pattern:
                out += share / len(pattern) * np.exp(-0.5 * ((h - (own + latent + stretch) * n) ** 2 / width).sum(-1))
        return out * measure[:, None] / (len(angle) * np.sqrt(width.prod()))

    used = {"example": [0, 1, 2], "feature": [0, 2], "spin_glass": [0]}[state]
    size = 0.02 * np.array([noise, max(np.sqrt(noise), 0.2), max(np.sqrt(noise), 0.2)])
    known = {}

    def law(*moves):
        key = tuple(np.sum([k * np.eye(3, dtype=int)[i] for i, k in moves], axis=0)) if moves else (0, 0, 0)
        if key not in known:
            known[key] = density(np.array(key) * size)
        return known[key]

    assert law().sum() == pytest.approx(1.0, rel=1e-9)
    n = 1 + len(used)
    E = np.empty((n, n))
    E[0, 0] = (law() * variance).sum()
    for a, i in enumerate(used, start=1):
        E[0, a] = E[a, 0] = sum(c * (law((i, k)) * g[1]).sum() for k, c in STEPS) / size[i]
        values = [(law((i, k)) * g[0]).sum() for k in (-2, -1, 0, 1, 2)]
        E[a, a] = np.dot((-1 / 12, 16 / 12, -30 / 12, 16 / 12, -1 / 12), values) / size[i] ** 2
        for b, j in enumerate(used[: a - 1], start=1):
            mixed = sum(c * e * (law((i, k), (j, m)) * g[0]).sum() for k, c in STEPS for m, e in STEPS)
            E[a, b] = E[b, a] = mixed / (size[i] * size[j])
    E[2:] /= 2  # overlaps of both components
    B = np.zeros((n, n))
    B[0, 1] = B[1, 0] = R1
    B[1, 1] = -T * R1 + R2 * q + C2 * overlap**2
    if state != "spin_glass":
        B[1, -1], B[-1, 1], B[-1, -1] = 2 * C1 * overlap, C1 * overlap, C0
    if state == "example":
        B[2, 2] = 1.0
    return B @ E


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loads", "temperature", "state"),
    [
        ((0.3, 1.0), 0.3, "spin_glass"),
        ((0.02, 1.0), 0.05, "example"),
        ((1.5, 0.012), 3.0, "feature"),
    ],
)
def test_isotropic_states_do_not_order_along_an_axis(loads, temperature, state):
    fed = feedback(VectorRandomFeatures(*loads, 2, "scalar", temperature, effective=True), state)
    values = np.linalg.eigvals(fed)
    assert np.abs(values[np.abs(values.imag) < 1e-9].real).max(initial=0.0) < 0.8
    assert np.linalg.det(np.eye(len(fed)) - fed) > 0.1
