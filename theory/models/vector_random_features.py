r"""Random-features networks of vector spins: examples built from features that are vectors of d components.

``x_i^mu = D^{-1/2} sum_k c_k^mu f_ki`` with isotropic features f and coefficients c, numbers or d x d matrices; spins
and examples are vectors of length sqrt(d), ``xi = sqrt(d) x/|x|``, so that every component is of order one.  Variants:

- tensor:  ``J_ij = (dN)^{-1} sum_mu xi_i xi_j^T``, one quadratic channel per example;
- scalar:  ``J_ij = N^{-1} sum_mu xi_i.xi_j``, invariant under global rotations, d^2 channels;
- phasor:  ``J_ij = N^{-1} sum_mu xi_i xi_j^*`` of unit complex numbers, d = 2 and invariant under U(1), 2 channels.

The free energy per component is that of Ising spins with the effective loads ``n_ch P/(dN)`` and ``n_ch D/(dN)``, with
the constants of the vector nonlinearity and the entropic term of a vector spin (`theory.vector_channels`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import sympy

from theory.ensembles import Coefficients, Mixing, VectorRandomFeaturePatterns
from theory.equations import FreeEnergy
from theory.errors import InvalidInput
from theory.feature_network import (
    Closure,
    Explicit,
    Loads,
    cold_network,
    exists_towards,
    paramagnetic,
    replicon,
    warm_network,
)
from theory.model import Limit, Model, Parameter, normalise, register
from theory.models.random_features import RandomFeatures
from theory.models.vector_hopfield import VectorHopfield
from theory.sites import feature_sum
from theory.vector_channels import MIXINGS, VARIANTS, Channels
from theory.vector_examples import example_term, sum_across, sum_term
from theory.vector_sites import Sector, mean_length, response_weights, vector_site
from theory.walks import walk

__all__ = ["MIXINGS", "VARIANTS", "VectorRandomFeatures", "kappa_1_squared"]

alpha, alpha_d, T, m, m_hat, t_hat, q_hat = sympy.symbols("alpha alpha_d temperature m m_hat t_hat q_hat")


@register
@dataclass(frozen=True)
class VectorRandomFeatures(Model):
    r"""Replica-symmetric theory of random-features networks of d-component spins.

    Parameters
    ----------
    alpha : float or None
        Load P/N > 0 of examples; None while it is the unknown of a threshold.
    alpha_d : float or None
        Load D/N > 0 of features.
    d : int
        Number of components of a spin, 1 to 200.
    variant : {'tensor', 'scalar', 'phasor'}
        Couplings.
    temperature : float or None
        tau >= 0, the temperature of spins of length sqrt(d) with energies per component.  It is d T, with T that of
        unit vectors and the couplings ``N^{-1} xi_i xi_j^T``, ``(d/N) xi_i.xi_j`` or ``N^{-1} xi_i xi_j^*``.
    effective : bool
        Whether the loads are given, and returned, as the effective ones ``n_ch P/(dN)`` and ``n_ch D/(dN)``.
    mixing : {'scalar', 'matrix'}
        Coefficients of the features in an example: independent random numbers, or random d x d matrices, for which
        n_ch of features is d^2 whatever the couplings.

    Raises
    ------
    InvalidInput
        For a load, temperature, dimension, variant or mixing out of range; 'phasor' needs d = 2.

    Notes
    -----
    Variables as in `RandomFeatures`, per component: ``m = <xi.s>/d``, ``t = <x.s>/d``, ``q = <s>.<s>/d``.  Scalar
    couplings are invariant under global rotations, in which a condensed example is one gauge; replica-symmetry breaking
    is examined in the rotation-invariant channel.  The theory is new; see the documentation for what is derived and
    what is assumed.

    Examples
    --------
    >>> VectorRandomFeatures(alpha=0.02, alpha_d=2.0, d=2).ground_state_energy("example", 1).condensed
    (m, t)
    """

    alpha: float | None = None
    alpha_d: float | None = None
    d: int = 3
    variant: str = "tensor"
    temperature: float | None = 0.0
    effective: bool = False
    mixing: str = "scalar"

    name: ClassVar[str] = "vector-random-features"
    summary: ClassVar[str] = "Network of d-component spins storing combinations of random vector features"
    states: ClassVar[tuple[str, ...]] = ("paramagnet", "spin_glass", "example", "feature", "mixture")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("alpha", "load P/N of examples; with --effective n_ch P/(dN)", high=1e12),
        Parameter("alpha_d", "load D/N of features; with --effective n_ch D/(dN)", high=1e12),
        Parameter(
            "temperature", "tau = d T, with T in units of the coupling of unit vectors", low_open=False, default=0.0
        ),
    )
    option_help: ClassVar[Mapping[str, str]] = {
        "variant": "couplings of spins: tensor (d x d matrices), scalar (numbers) or phasor (complex numbers, d = 2)",
        "mixing": "coefficients of features in examples: scalar (numbers) or matrix (d x d matrices)",
        "effective": "loads are n_ch P/(dN) and n_ch D/(dN), given and returned; n_ch is 1 for tensor, d^2 for scalar, "
        "2 for phasor, and of features mixed by matrices d^2",
    }
    structural: ClassVar[tuple[Parameter, ...]] = (
        Parameter("d", "number of components of a spin", low=1, high=200, low_open=False, default=3, whole=True),
    )
    references: ClassVar[tuple[str, ...]] = (
        *RandomFeatures.references,
        *VectorHopfield.references,
        "@article{cook1989,\n  author = {Cook, J.},\n  title = {The mean-field theory of a {Q}-state neural network "
        "model},\n  journal = {Journal of Physics A: Mathematical and General},\n  volume = {22},\n  pages = {2057},\n"
        "  year = {1989}\n}",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        variant = normalise(self.variant, VARIANTS, f"variant of {self.name}")
        object.__setattr__(self, "variant", variant)
        if variant == "phasor" and self.d != 2:
            raise InvalidInput(
                f"d = {self.d} is not allowed with variant 'phasor'; complex couplings of phasors have d = 2 (for "
                "other d choose the variant tensor or scalar)."
            )
        object.__setattr__(self, "mixing", normalise(self.mixing, MIXINGS, f"mixing of {self.name}"))
        if not isinstance(self.effective, (bool, np.bool_)):
            raise InvalidInput(f"effective = {self.effective!r} is not allowed; give True or False.")

    @property
    def channels(self) -> Channels:
        """Real quadratic channels of examples and features, from which effective loads follow."""
        return Channels.of(self.d, self.variant, self.mixing, effective=self.effective)

    @property
    def even_mixtures(self) -> bool:
        """Sums of an even number of vectors vanish nowhere; those of signs do."""
        return self.d > 1

    def constants(self) -> Mapping[str, Any]:
        """``kappa_1^2 = (E|x|)^2/d`` and what is left of 1, exactly."""
        first = kappa_1_squared(self.d)
        return {"kappa_1_squared": first, "kappa_star_squared": 1 - first}

    def free_energy(self, state: str, L: int) -> FreeEnergy:
        """RS free energy per component at T > 0."""
        d, V = sympy.Integer(self.d), self._loads.alpha * self.d * q_hat / T**2
        warm = warm_network(
            state,
            L,
            self._loads,
            entropic=self._site(state, L, V, T) / d,
            response=d * self._site(state, L, V, T, response="isotropic"),
            across=d * sum_across(self.d, L, d * m_hat / T, V) if state == "mixture" else None,
        )
        return paramagnetic(warm) if state == "paramagnet" else warm

    def ground_state_energy(self, state: str, L: int) -> FreeEnergy:
        """The energy per component at T = 0; replica symmetry can be stable for d >= 3."""
        d, V = sympy.Integer(self.d), self._loads.alpha * q_hat / self.d
        inverse_square = self._site(state, L, V, None, response="isotropic") if self.d >= 3 else None
        return cold_network(
            state,
            L,
            self._loads,
            length=self._site(state, L, V, None),
            response=None if inverse_square is None else (d - 1) / d * inverse_square,
            across=sum_across(self.d, L, m_hat, V, zero_temperature=True) if state == "mixture" else None,
        )

    def replicon(self, state: str, L: int, sector: Sector) -> sympy.Expr | None:
        """Stability of replica symmetry against overlap matrices of two replicas in one sector.

        Isotropic fluctuations move all channels.  Symmetric traceless and antisymmetric ones move all channels of
        scalar couplings; those of tensor couplings not at all, and those of phasors if antisymmetric (the phase).  With
        features mixed by matrices they move the channels of features in all cases.  None where nothing moves, or the
        response diverges (d = 2 at T = 0).
        """
        whole = sector == "isotropic" or self.variant == "scalar"
        whole = whole or (self.variant == "phasor" and sector == "antisymmetric")
        if not whole and self.mixing == "scalar":
            return None
        d = sympy.Integer(self.d)
        if self.temperature:
            V = self._loads.alpha * d * q_hat / T**2
            response = d * self._site(state, L, V, T, response=sector) / T**2
        elif self.d >= 3:
            V = self._loads.alpha * q_hat / d
            across = sympy.nsimplify(response_weights(self.d, sector)[0], rational=True)
            response = across / d * self._site(state, L, V, None, response=sector)
        else:
            return None
        return replicon(self._loads, response, examples=whole)

    @property
    def _loads(self) -> Loads:
        per = self.channels.per_load
        return Loads(per["alpha"] * alpha, per["alpha_d"] * alpha_d)

    def _site(
        self, state: str, L: int, V: sympy.Expr, warm: sympy.Expr | None, *, response: Sector | None = None
    ) -> sympy.Expr:
        """Average over the field of one spin; the argument of g is ``d h/T`` for the field h of a unit vector."""
        unit = sympy.S.One if warm is None else self.d / warm
        options: dict[str, Any] = {"zero_temperature": warm is None, "response": response}
        if state == "example":
            return example_term(self.d, m * unit, t_hat * unit, V, **options)
        if state in ("feature", "mixture"):
            return sum_term(self.d, L, m_hat * unit, V, **options)
        return vector_site(self.d, **options)(0, 0, sympy.S.Zero, V)

    def start(self, state: str, L: int) -> Mapping[str, float]:
        """The noise-free condensed state, or the uncondensed one solved on its one unknown."""
        closure = self._closure()
        if state == "paramagnet":
            return closure.paramagnet()
        if state == "spin_glass":
            return closure.spin_glass(self._response_to)
        squared = closure.first
        if state == "example":
            first = {"m": 1.0, "t": math.sqrt(squared), "t_hat": closure.ratio * squared**1.5}
        else:
            overlap = self._pure_overlap(L)
            squared = L * overlap**2
            first = {"m": overlap, "m_hat": closure.ratio * closure.first * overlap}
        return {**first, **closure.at(0.0, squared)}

    def _pure_overlap(self, L: int) -> float:
        """``E|n_1 + ... + n_L|/L``."""
        if self.d == 1:
            return float(feature_sum(abs, L)) / L
        length, weight = walk(self.d, L, 128)
        return float(weight @ length) / L

    def spinodal_start(self, state: str, L: int, vary: str) -> Mapping[str, float] | None:
        """A point near the T = 0 spinodal of features and mixtures, where everything is explicit in y = m_hat/s."""
        if state not in ("feature", "mixture") or self.temperature != 0.0 or vary not in ("alpha", "alpha_d"):
            return None
        y = np.linspace(0.4, 6.0, 141) if self.d == 1 else np.linspace(0.4, 4.0, 91) / math.sqrt(L)
        M, V = sympy.symbols("M V")
        site = sum_term(self.d, L, M, V, zero_temperature=True)
        overlap, spread = _evaluated([sympy.diff(site, M) / L, 2 * sympy.diff(site, V) / self.d], M, V, y, 1.0 / self.d)
        found = Explicit(y, overlap, spread * y / overlap).spinodal(self._closure(), L, vary)
        return None if found is None else {**found, vary: found[vary] / float(self.channels.per_load[vary])}

    def _closure(self) -> Closure:
        per, first = self.channels.per_load, float(kappa_1_squared(self.d))
        rest = float(sympy.N(1 - kappa_1_squared(self.d)))
        loads = float(per["alpha"]) * float(self.alpha or 0.0), float(per["alpha_d"]) * float(self.alpha_d or 1.0)
        return Closure(*loads, float(self.temperature or 0.0), first, rest)

    def _response_to(self, noise: float) -> float:
        """``T chi`` for a field without mean of that variance per component; ``chi sqrt(noise)`` at T = 0."""
        if not self.temperature:
            return mean_length(self.d) / math.sqrt(self.d)
        fields = np.zeros(1), np.array([self.d * noise / self.temperature**2])
        return float(vector_site(self.d).orders([(0, 1)], fields)[0][0])

    def temperature_unit(self) -> float:
        """The larger of the two energy scales: the coupling, and that of the feature network at high load."""
        ratio = self.channels.per_ratio * float(self.alpha or 0.0) / float(self.alpha_d or np.inf)
        return max(1.0, ratio * float(kappa_1_squared(self.d)))

    def load_unit(self) -> float:
        """Effective loads of interest are of order ``1/d^2``, as in the vector Hopfield model."""
        return 1.0 / (self.d**2 * float(self.channels.per_load["alpha"]))

    def exists_towards(self, state: str) -> Mapping[str, str]:
        """Examples survive at low load of many features; features and mixtures when many examples share few."""
        return exists_towards(state)

    def convention(self) -> str:
        """How its numbers are read, with the conversion."""
        heat = "" if not self.temperature else f", here T = {self.temperature / self.d:g}"
        loads = self.channels.sentence({"alpha": self.alpha, "alpha_d": self.alpha_d})
        return f"{loads}, and temperature is tau = d T with T that of unit vectors{heat}"

    def derived(self) -> Mapping[str, Any]:
        """Both kinds of loads, and what loads and `temperature` mean."""
        return {
            **self.channels.described({"alpha": self.alpha, "alpha_d": self.alpha_d}),
            "temperature_convention": "tau = d T, with T the temperature of spins of unit length",
        }

    def limits(self) -> Sequence[Limit]:
        """d = 1 is the random-features model, many features are the vector Hopfield model, and T -> 0."""
        ising = ("q_hat", "p_d", "free_energy")
        one = [
            Limit(
                "d = 1", VectorRandomFeatures(a, b, 1, "tensor", t), state, RandomFeatures(a, b, t), state, ising, 1e-12
            )
            for t in (0.0, 0.2)
            for a, b, states in (
                (0.07, 0.5, ("example", "spin_glass")),
                (1.0, 0.01, ("feature", "mixture")),
            )
            for state in states
        ]
        many = VectorRandomFeatures(0.02, 1e7, 3)
        warm = replace(many, temperature=0.2)
        few = VectorRandomFeatures(1e6, 0.02, 3)
        cold = VectorRandomFeatures(0.02, 2.0, 3)
        learnt = VectorRandomFeatures(4.0, 0.02, 3)
        mixed, single = replace(many, mixing="matrix"), VectorRandomFeatures(0.07, 0.5, 1, mixing="matrix")
        return [
            *one,
            Limit("d = 1, matrices", single, "example", RandomFeatures(0.07, 0.5), "example", ising, 1e-12),
            Limit("alpha_d -> inf, matrices", mixed, "example", VectorHopfield(0.02, 3), "example", ("m",), 1e-6),
            Limit("alpha_d -> inf", many, "example", VectorHopfield(0.02, 3), "example", ("m", "free_energy"), 1e-6),
            Limit("alpha_d -> inf", many, "spin_glass", VectorHopfield(0.02, 3), "spin_glass", ("q_hat",), 1e-6),
            Limit("alpha_d -> inf", warm, "example", VectorHopfield(0.02, 3, 0.2), "example", ("m", "q"), 1e-6),
            Limit("alpha -> inf", few, "feature", VectorHopfield(0.02, 3), "example", ("m",), 1e-6),
            Limit("T -> 0", replace(cold, temperature=1e-4), "example", cold, "example", ("m", "t", "p_d"), 1e-3),
            Limit("T -> 0", replace(learnt, temperature=1e-4), "feature", learnt, "feature", ("m", "p_d"), 1e-3),
        ]

    @property
    def couplings(self) -> str:
        """The variant."""
        return self.variant

    def per_site(self) -> VectorRandomFeatures:
        """The same point with loads P/N and D/N."""
        loads = self.channels.both({"alpha": self.alpha, "alpha_d": self.alpha_d})
        return replace(self, alpha=loads["alpha_per_site"], alpha_d=loads["alpha_d_per_site"], effective=False)

    def pattern_law(self, *, coefficients: str = "gaussian", L_train: int = 3) -> VectorRandomFeaturePatterns:
        """Unit vectors along superpositions of isotropic features; the RS theory describes dense coefficients."""
        return VectorRandomFeaturePatterns(self.d, cast(Coefficients, coefficients), L_train, cast(Mixing, self.mixing))


def kappa_1_squared(d: int) -> sympy.Expr:
    r"""``kappa_1^2 = (E|x|)^2/d = (2/d) [Gamma((d+1)/2)/Gamma(d/2)]^2``, exactly; ``kappa_*^2`` is the rest of 1.

    Examples
    --------
    >>> [kappa_1_squared(d) for d in (1, 2, 3)]
    [2/pi, pi/4, 8/(3*pi)]
    """
    square = 2 / sympy.pi  # of E|x|, which is k/E|x| with one component more
    for k in range(1, d):
        square = k**2 / square
    return square / d


def _evaluated(
    expressions: Sequence[sympy.Expr], M: sympy.Symbol, V: sympy.Symbol, mean: Any, variance: float
) -> tuple[Any, Any]:
    """Two expressions in site terms, at many means."""
    from theory.equations import Compiled

    values = Compiled(expressions, (M, V))([mean, np.full_like(mean, variance)])
    return values[0], values[1]
