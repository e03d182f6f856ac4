r"""How many real quadratic channels examples and features of vectors have, and the loads that follow.

Spins, features f and examples ``xi = sqrt(d) x/|x|`` have components of order one; ``eta`` is independent Gaussian
noise.  Couplings are

- tensor:  ``J_ij = (dN)^{-1} sum_mu xi_i xi_j^T``, one channel ``u = (dN)^{-1/2} sum_i xi_i.s_i`` per example;
- scalar:  ``J_ij = N^{-1} sum_mu xi_i.xi_j``, d^2 channels ``U_ab = N^{-1/2} sum_i xi_ia s_ib``;
- phasor:  ``J_ij = N^{-1} sum_mu xi_i xi_j^*`` of complex numbers, 2 channels, ``u = (2N)^{-1/2} sum_i xi_i^* s_i``.

**Features mixed by numbers**, ``x_i = D^{-1/2} sum_k c_k f_ki``: a channel of an example is
``kappa_1 D^{-1/2} sum_k c_k v_k + kappa_* eta`` with the same channel v of features, so both have n_ch of them.

**Features mixed by matrices**, ``x_i = D^{-1/2} sum_k C_k f_ki`` with ``E C_ab C_cd = delta_ac delta_bd/d`` (Gaussian
entries of variance 1/d, or Haar rotations).  Let ``c = sqrt(d) C`` and ``w_kab = N^{-1/2} sum_i s_ia f_kib``: d^2 D
numbers, each with the replica covariance ``q = s.s'/(dN)``.  Then

- tensor:  ``u = kappa_1 (d^2 D)^{-1/2} sum_{k,a,b} c_kab w_kab + kappa_* eta``: 1 channel over d^2 D features;
- scalar:  ``U_ab = kappa_1 (dD)^{-1/2} sum_{k,c} c_kac w_kbc + kappa_* eta_ab``: for each component b of the spins d P
  rows (mu, a) over d D features (k, c), as many as with numbers, d^2 P and d^2 D;
- phasor:  ``C f = (a f + b f^*)/sqrt(2)`` with complex a and b, so ``u = kappa_1 (2D)^{-1/2} sum_k (a_k^* v_k + b_k^*
  v'_k) + kappa_* eta`` with ``v = (2N)^{-1/2} sum_i f_i^* s_i`` and ``v' = (2N)^{-1/2} sum_i f_i s_i``: 2 channels over
  4 D features.

Only second moments of C enter at n -> 0, as for numbers.  The determinants are those of Ising spins per component,
with the effective loads ``n_ch P/(dN)`` and ``n_ch D/(dN)``, where n_ch of features is d^2.  A condensed feature is
``w_k = sqrt(N) m R`` with a gauge R of O(d): d channels, which add ``d N m^2/(d^2 D) = m^2/alpha_d`` (effective) to
p_d, and make a field ``m_hat R f`` with the law of ``m_hat f``.  A condensed example has the overlap
``t = x.s/(dN)`` along c itself.  Site terms are therefore those of numbers.

**Finite sizes, at T = 0.**  A condensed feature has the power ``kappa_1^2`` in examples up to 1/D only: ``E|x|`` with
``x = sum_k a_k f_k`` and ``sum_k a_k^2 = d`` is that of a Gaussian x times ``1 + sum_k a_k^4/(4 d^2 (d+2))``, to first
order, and its derivative by a_1 is the overlap of xi with f_1.  Gaussian numbers ``a_k = d^{1/2} c_k/|c|`` then give
``kappa_1^2 (1 + 3/(2 (d+2) D))``, and that much more energy from the feature.  With matrices the energy of the gauge R
goes with ``P^{-1} sum_mu <C_1^mu, R>^2``, which fluctuates by (2/P)^{1/2} around its mean, and R settles where it is
large; at d = 2 the maximum over rotations exceeds the mean by the fraction ``(pi/(2P))^{1/2}``, on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy

__all__ = ["MIXINGS", "VARIANTS", "Channels"]

VARIANTS = ("tensor", "scalar", "phasor")
MIXINGS = ("scalar", "matrix")


@dataclass(frozen=True)
class Channels:
    """Channels of one example and of one feature.

    Attributes
    ----------
    d : int
        Components of a spin.
    examples, features : int
        Numbers n_ch of real quadratic channels.
    effective : bool
        Whether loads are given, and returned, as effective ones.

    Examples
    --------
    >>> Channels.of(3, "tensor", "matrix")
    Channels(d=3, examples=1, features=9, effective=False)
    """

    d: int
    examples: int
    features: int
    effective: bool = False

    @classmethod
    def of(cls, d: int, variant: str, mixing: str, *, effective: bool = False) -> Channels:
        """Those of couplings of one kind, and features mixed by numbers or matrices."""
        examples = {"tensor": 1, "scalar": d**2, "phasor": 2}[variant]
        return cls(d, examples, examples if mixing == "scalar" else d**2, bool(effective))

    @property
    def counts(self) -> dict[str, int]:
        """n_ch by the name of the load."""
        return {"alpha": self.examples, "alpha_d": self.features}

    @property
    def per_load(self) -> dict[str, sympy.Rational]:
        """Effective load over the load that is given, by name."""
        return {k: sympy.S.One if self.effective else sympy.Rational(n, self.d) for k, n in self.counts.items()}

    @property
    def per_ratio(self) -> float:
        """Effective ``alpha_T`` over ``alpha/alpha_d`` as given."""
        return 1.0 if self.effective else self.examples / self.features

    def both(self, given: Mapping[str, float | None]) -> dict[str, float | None]:
        """P/N and D/N, and the effective loads."""
        out: dict[str, float | None] = {}
        for suffix, effective in (("_per_site", False), ("_effective", True)):
            for load, channels in self.counts.items():
                ratio, value = channels / self.d, given[load]
                factor = (ratio if effective else 1.0) / (ratio if self.effective else 1.0)
                out[load + suffix] = None if value is None else factor * value
        return out

    def sentence(self, given: Mapping[str, float | None]) -> str:
        """What the loads mean, with those of the other convention."""
        here = ", ".join(
            f"{name.removesuffix('_effective').removesuffix('_per_site')} = {value:g}"
            for name, value in self.both(given).items()
            if value is not None and name.endswith("_effective") is not self.effective
        )
        words = (
            ("the effective loads n_ch P/(dN) and n_ch D/(dN)", "as P/N and D/N")
            if self.effective
            else ("P/N and D/N", "in effective loads n_ch P/(dN) and n_ch D/(dN)")
        )
        count = f"n_ch = {self.examples}"
        if self.features != self.examples:
            count += f" of examples and {self.features} of features"
        return f"alpha and alpha_d are {words[0]} with {count}; {words[1]} this point is {here or 'open'}"

    def described(self, given: Mapping[str, float | None]) -> dict[str, Any]:
        """Both kinds of loads, and what loads mean."""
        return {
            **self.both(given),
            "effective": self.effective,
            "channels": self.examples,
            "feature_channels": self.features,
            "load_convention": "per site: P/N and D/N; effective: n_ch P/(dN) and n_ch D/(dN); alpha, alpha_d and "
            + ("values are effective" if self.effective else "values are per site"),
        }
