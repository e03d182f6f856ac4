r"""Site terms of spins with d components, ``F_{kn}(M, R) = E_z d_1^k Delta^n g(|M e_1 + sqrt(R) z|)`` with z in R^d.

``g`` is the log-partition function of a unit vector in a field (fields in units of T), and ``|h|`` at T = 0.  The heat
equation closes the family: ``dF_{kn}/dM = F_{k+1,n}``, ``dF_{kn}/dR = F_{k,n+1}/2``.  So do averages of any other
radial function; the stability of replica symmetry needs that of the squared response ``tr (d<s>/dh)^2``.

Numbers are one radial integral with the noncentral chi density (`theory.radial`), and Kummer functions at T = 0.
At d = 1 all is that of Ising spins, and evaluated as such.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np
import sympy
from numpy.typing import NDArray

from theory import quadrature
from theory.errors import InvalidInput
from theory.radial import (
    Jet,
    jet_laplacian,
    jet_product,
    log_partition,
    radial_rule,
    reference,
)
from theory.sites import Index, Ising, IsingZero, SiteTerm

__all__ = [
    "LARGEST_DIMENSION",
    "Sector",
    "Vector",
    "VectorResponse",
    "VectorResponseZero",
    "VectorZero",
    "along",
    "checked_dimension",
    "mean_length",
    "power_ratio",
    "response_weights",
    "vector_site",
]

Array = NDArray[np.float64]
Sector = Literal["isotropic", "symmetric", "antisymmetric"]

LARGEST_DIMENSION = 200
_SCIPY_UP_TO = 10.0  # b of 1F1(a; b; -z), beyond which scipy loses digits, and all of them at b = 100


class _Rotational(SiteTerm):
    """Index (k, n), arguments M and R: k derivatives along the mean, n Laplacians."""

    nargs = 4
    indices = 2
    dimension: ClassVar[int] = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        k, n, M, R = self.args
        if argindex == 3:
            return self.func(k + 1, n, M, R)
        if argindex == 4:
            return self.func(k, n + 1, M, R) / 2
        raise sympy.ArgumentIndexError(self, argindex)


class Vector(_Rotational):
    r"""``E_z d_1^k Delta^n g`` at T > 0, with ``g(x) = ln int ds exp(x s_1)`` over the unit sphere (area measure).

    Examples
    --------
    >>> M, R = sympy.symbols("M R")
    >>> sympy.diff(vector_site(3)(0, 0, M, R), R)
    Vector_3(0, 1, M, R)/2
    """

    symbol = "F"

    @classmethod
    def jet(cls, x: Array, count: int) -> Jet:
        """The radial function and its `count` derivatives ``D = (1/x) d/dx``."""
        jet = log_partition(cls.dimension, x, max(1, count))
        return [jet[0] + reference(cls.dimension, x), *jet[1 : count + 1]]

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        if cls.dimension == 1:
            return Ising.orders([(k + 2 * n,) for k, n in indices], fields, refine=refine)
        return radial_orders(cls, indices, fields, refine=refine)

    @classmethod
    def exact_orders(cls, arithmetic: Any, indices: Sequence[Index], fields: Sequence[Any]) -> list[Any]:
        """To any number of digits; see `theory.exact_vector`."""
        from theory.exact_vector import warm_orders

        return warm_orders(arithmetic, cls.dimension, cls.squared, indices, fields)

    squared: ClassVar[bool] = False


class VectorResponse(Vector):
    r"""``E_z d_1^k Delta^n tr C^2`` at T > 0, with the response ``C = <ss> - <s><s>`` of a spin to its field.

    ``tr C^2 = g''(x)^2 + (d-1) (g'(x)/x)^2``; ``sech^4`` at d = 1.  Other sectors: see `response_weights`.
    """

    symbol = "S"
    squared = True
    sector: ClassVar[Sector] = "isotropic"

    @classmethod
    def exact_orders(cls, arithmetic: Any, indices: Sequence[Index], fields: Sequence[Any]) -> list[Any]:
        """To any number of digits in the isotropic sector."""
        if cls.sector != "isotropic":
            from theory.exact import Refused

            raise Refused(f"the {cls.sector} response is known in double precision only.")
        return super().exact_orders(arithmetic, indices, fields)

    @classmethod
    def jet(cls, x: Array, count: int) -> Jet:
        first = log_partition(cls.dimension, x, count + 2)[1:]  # D g, D^2 g, ...
        across, square = first[: count + 1], [x * x, np.full_like(x, 2.0), *[np.zeros_like(x)] * count]
        along_field = [a + b for a, b in zip(across, jet_product(square[: count + 1], first[1:]), strict=True)]
        products = (
            jet_product(across, across),
            jet_product(across, along_field),
            jet_product(along_field, along_field),
        )
        u, v, w = response_weights(cls.dimension, cls.sector)
        return [u * a + v * b + w * c for a, b, c in zip(*products, strict=True)]

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        if cls.dimension > 1:
            return radial_orders(cls, indices, fields, refine=refine)
        flat = [k + 2 * n for k, n in indices]  # (ln cosh)'''' = 4 sech^2 - 6 sech^4
        found = Ising.orders([(o + 2,) for o in flat] + [(o + 4,) for o in flat], fields, refine=refine)
        return [(4.0 * a - b) / 6.0 for a, b in zip(found[: len(flat)], found[len(flat) :], strict=True)]


class VectorZero(_Rotational):
    r"""The T = 0 family ``E_z d_1^k Delta^n |h|``."""

    symbol = "F^{0}"
    power: ClassVar[int] = 1

    @classmethod
    def orders(cls, indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1) -> list[Array]:
        if cls.dimension == 1:
            return IsingZero.orders([(k + 2 * n,) for k, n in indices], fields)
        return power_orders(cls.dimension, cls.power, indices, *fields)

    @classmethod
    def exact_orders(cls, arithmetic: Any, indices: Sequence[Index], fields: Sequence[Any]) -> list[Any]:
        """To any number of digits, and as balls; see `theory.exact_vector`."""
        from theory.exact_vector import cold_orders

        return cold_orders(arithmetic, cls.dimension, cls.power, indices, fields)


class VectorResponseZero(VectorZero):
    """``E_z d_1^k Delta^n |h|^{-2}``, finite for d >= 3: at T = 0 ``tr C^2 = (d - 1)/|h|^2``."""

    symbol = "S^{0}"
    power = -2


@functools.lru_cache(maxsize=1024)
def vector_site(d: int, *, zero_temperature: bool = False, response: Sector | None = None) -> type[_Rotational]:
    """The family of spins with d components as a SymPy function class.

    Parameters
    ----------
    d : int
        1 to `LARGEST_DIMENSION`.
    zero_temperature : bool
        ``|h|`` in place of g.
    response : {'isotropic', 'symmetric', 'antisymmetric'} or None
        Averages of the squared response in one sector (`response_weights`); at T = 0 those of ``|h|^{-2}``, which need
        d >= 3 and are the same for all sectors.

    Raises
    ------
    InvalidInput
        If d is no whole number in the range, or the average diverges.
    """
    d = checked_dimension(d)
    if response not in (None, "isotropic") and d == 1:
        raise InvalidInput(f"d = 1 has no {response} overlaps; give d >= 2.")
    if zero_temperature and response and d < 3:
        raise InvalidInput(f"d = {d} has no squared response at temperature = 0 (E 1/h^2 diverges); give d >= 3.")
    base: type[_Rotational] = {
        (False, False): Vector,
        (False, True): VectorResponse,
        (True, False): VectorZero,
        (True, True): VectorResponseZero,
    }[zero_temperature, response is not None]
    # The entropy of a continuous spin falls like the logarithm of T.
    declared: dict[str, Any] = {"dimension": d, "residual_entropy": 0.0 if d == 1 else -math.inf}
    name = f"{base.__name__}_{d}"
    if response is not None and not zero_temperature:
        declared["sector"] = response
        name += "" if response == "isotropic" else f"_{response}"
    return type(name, (base,), declared)


def response_weights(d: int, sector: Sector) -> tuple[float, float, float]:
    r"""How fluctuations of the overlap matrix of two replicas feel the response of a spin, as (A^2, A B, B^2).

    ``C = A (1 - h h^T) + B h h^T`` with ``A = g'(x)/x``, ``B = g''(x)`` and h uniform in direction.  A fluctuation
    ``delta`` of the overlaps ``s_a s'_b`` in the replicon sector feels ``E C delta C``, which is ``delta`` times 1/d of
    the sum with these weights: isotropic ``delta`` commute with rotations, and there are symmetric traceless and
    antisymmetric ones (d >= 2; the latter are antisymmetric in replicas too).  ``E tr(delta^T C delta C) <=
    E tr(C^2) tr(delta^T delta)/d`` by Cauchy and Schwarz: the isotropic one is the largest.

    Examples
    --------
    >>> response_weights(3, "isotropic"), response_weights(2, "symmetric"), response_weights(3, "antisymmetric")
    ((2.0, 0.0, 1.0), (0.5, 1.0, 0.5), (1.0, 2.0, 0.0))
    """
    if sector == "isotropic":
        return (d - 1.0, 0.0, 1.0)
    if sector == "antisymmetric":
        return (d - 2.0, 2.0, 0.0)
    return ((d * d - 2.0) / (d + 2.0), 2.0 * d / (d + 2.0), 2.0 / (d + 2.0))


def checked_dimension(d: Any) -> int:
    """Return d as an int.

    Raises
    ------
    InvalidInput
        If it is no whole number from 1 to `LARGEST_DIMENSION`.
    """
    whole = isinstance(d, (int, np.integer)) and not isinstance(d, bool)
    if not whole or not 1 <= int(d) <= LARGEST_DIMENSION:
        raise InvalidInput(
            f"d = {d} is not allowed; give a whole number with 1 <= d <= {LARGEST_DIMENSION} (number of components of "
            "a spin; the radial quadrature is tested up to there)."
        )
    return int(d)


@functools.lru_cache(maxsize=64)
def along(k: int) -> tuple[tuple[int, int], ...]:
    """``d^k/dM^k`` of a function of ``M^2/2`` as terms (j, factor) of ``factor M^{2j-k} (d/d(M^2/2))^j``.

    Examples
    --------
    >>> along(3)
    ((2, 3), (3, 1))
    """
    return tuple(
        (j, math.factorial(k) // (math.factorial(k - j) * math.factorial(2 * j - k) * 2 ** (k - j)))
        for j in range((k + 1) // 2, k + 1)
    )


def radial_orders(
    family: type[Vector], indices: Sequence[Index], fields: Sequence[Array], *, refine: int = 1
) -> list[Array]:
    """All members asked for on one set of nodes; any d, one included.

    Where the noise is wide, and the field can vanish, the cancelling derivatives of g near zero are moved onto the
    Gaussian weight: ``E Delta phi`` is ``E phi (|h - M e_1|^2/R - d)/R``.
    """
    d, (M, R) = family.dimension, fields
    highest = max(n for _, n in indices)
    # At a far field without much noise they do not matter, unless the field is so long that they are all there is.
    by_parts = (R > 1.0) & (M * M < np.maximum(9.0, np.log(np.maximum(R, 1.0))) * R) & (highest > 1)
    rule = radial_rule(d, M, R, most=max(k for k, _ in indices) + bool(by_parts.any()), nodes=quadrature.NODES * refine)
    r, weights = rule.length, [rule.weight * ratio for ratio in rule.ratios]
    jets = [family.jet(r, max(k + 2 * n for k, n in indices))]
    for _ in range(highest):
        jets.append(jet_laplacian(d, r, jets[-1]))
    square, safe = (M * M)[:, None], np.where(by_parts, R, 1.0)[:, None]
    members: dict[tuple[int, int], Array] = {}

    def member(j: int, n: int) -> Array:
        """``E_{d+2j} D^j Delta^n phi``, the j-th derivative of ``E Delta^n phi`` in ``M^2/2``."""
        if (j, n) not in members:
            value = np.einsum("bk,bk->b", weights[j], jets[n][j])
            if n > 1 and by_parts.any():
                distance = ((r * r + square) * weights[j] - 2.0 * square * weights[j + 1]) / safe
                moved = np.einsum("bk,bk->b", distance - (d + 2 * j) * weights[j], jets[n - 1][j]) / safe[:, 0]
                value = np.where(by_parts, moved, value)
            members[j, n] = value
        return members[j, n]

    return [sum((c * M ** (2 * j - k) * member(j, n) for j, c in along(k)), np.zeros_like(M)) for k, n in indices]


def mean_length(d: int) -> float:
    """``c_d = E|z|`` of a standard Gaussian of d components.

    Examples
    --------
    >>> round(mean_length(1) ** 2 * math.pi / 2, 12), round(mean_length(3), 6)
    (1.0, 1.595769)
    """
    return math.sqrt(2.0) * math.exp(math.lgamma(0.5 * (d + 1)) - math.lgamma(0.5 * d))


def power_ratio(power: int, d: int, n: int) -> Fraction:
    r"""The factor of ``E Delta^n |h|^a = factor (2R)^{-n} E_0 |h|^a 1F1(n - a/2; d/2; -M^2/2R)``, ``E_0`` at M = 0.

    ``Delta r^b = b (b + d - 2) r^{b-2}`` and ``E_0 r^b`` is proportional to ``(2R)^{b/2} Gamma((d + b)/2)``, whose
    product stays finite where ``r^b`` is harmonic.
    """
    return math.prod((Fraction(2 * (power - 2 * i)) for i in range(n)), start=Fraction(1))


def power_orders(d: int, power: int, indices: Sequence[Index], mean: Array, variance: Array) -> list[Array]:
    """``E d_1^k Delta^n |h|^power`` for power 1 or -2; zero variance is allowed away from mean = 0."""
    M, R = mean, np.maximum(variance, 1e-300)
    z = 0.5 * M * M / R
    at_zero = mean_length(d) * np.sqrt(R) if power == 1 else 1.0 / ((d - 2) * R)
    a0, b0 = -0.5 * power, 0.5 * d
    members: dict[tuple[int, int], Array] = {}

    def member(j: int, n: int) -> Array:
        if (j, n) not in members:
            a = a0 + n
            factor = float(power_ratio(power, d, n)) * math.prod((a + i) / (b0 + i) for i in range(j))
            members[j, n] = factor * (-1.0) ** j * at_zero * (2.0 * R) ** (-n) * R ** (-j) * kummer(a + j, b0 + j, z)
        return members[j, n]

    return [sum((c * M ** (2 * j - k) * member(j, n) for j, c in along(k)), np.zeros_like(M)) for k, n in indices]


def kummer(a: float, b: float, z: Array) -> Array:
    """``1F1(a; b; -z)`` for z >= 0, with a = -1/2, or a > 0 and b > a wherever b > 10."""
    from scipy.special import hyp1f1

    if b <= _SCIPY_UP_TO:
        return np.asarray(hyp1f1(a, b, -z), dtype=np.float64)
    if a < 0.0:  # contiguous relation, all terms positive
        up = a + 1.0
        return ((b - 2.0 * up + z) * kummer(up, b, z) + up * kummer(up + 1.0, b, z)) / (b - up)
    return _beta_integral(a, b, z) / _beta_integral(a, b, np.zeros(1))


def _beta_integral(a: float, b: float, z: Array) -> Array:
    """``int_0^1 s^{2a-1} (1 - s^2)^{b-a-1} exp(-z s^2) ds``, up to the factor that 1F1 has in front."""
    x, w = quadrature.gauss_legendre(quadrature.NODES)
    edges = np.array([0.0, 0.25, 0.5, 1.0])
    half = 0.5 * np.diff(edges)
    s = (0.5 * (edges[1:] + edges[:-1])[:, None] + half[:, None] * x).ravel()
    top = np.minimum(1.0, np.sqrt((46.0 + 8.0 * a) / (z + b - a - 1.0)))
    square = (top[:, None] * s) ** 2
    body = np.exp((b - a - 1.0) * np.log1p(-square) - z[:, None] * square)
    return np.asarray(top ** (2.0 * a) * (body @ ((half[:, None] * w).ravel() * s ** (2.0 * a - 1.0))))
