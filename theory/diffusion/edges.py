r"""Folds of the real curve of solutions: all candidates for edges of the spectrum of a score model.

Real solutions ``(Y, w)`` of the resolvent's equations form arcs: between consecutive poles ``Y = -lambda_i``, zero and
the branch points ``beta(Y)^2 = 4 alpha`` there are two roots w, which meet at branch points.  The derivative of x along
an arc is sampled for changes of sign, and every fold found is solved for by Newton's method (`theory.folds`).  How many
there are is never assumed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.diffusion.resolvent import Curve, ScoreModel
from theory.folds import solve_folds
from theory.problem import Extended, Linearised, Problem, Status

__all__ = ["FoldPoints", "folds_of"]

Array = NDArray[np.float64]

_SAMPLES = (24, 400)  # fewest and most per sheet of an arc
_BUDGET = 60_000
_ENDS = 34.0  # logistic range of the samples: exp(-34) of the arc from its ends
_DEPTH = 8  # how often an arc is refined where two folds may hide between samples
_ZOOM = 33
_HALVINGS = 18
_TO_ROUNDING = 64  # halvings
_CHUNK = 1 << 15
_CENTRE = 4.0
_MOST_DIPS = 256
_NOISE = 1e-13
_SAME = 1e-11
_EPS = float(np.finfo(float).eps)
_BESIDE = 1e-6  # rate beside a branch point whose sign is rounding


class FoldPoints(NamedTuple):
    """Folds by increasing ``x = z - s^2``, with the solutions there; each a (k,) array."""

    x: Array
    error: Array
    Y: Array
    w: Array


@functools.lru_cache(maxsize=32)
def folds_of(model: ScoreModel) -> FoldPoints:
    """All folds of x along the real curve that can be edges of the spectrum.

    Notes
    -----
    At an edge both Stieltjes transforms, q and m = 1/u - 1, increase with z outside the spectrum; folds where they move
    oppositely are dropped.  Which of the others belong to the physical sheet, the caller finds from the density.

    Examples
    --------
    >>> model = ScoreModel(8, 64, 0.01)
    >>> (folds_of(model).x + model.constants.s_squared).round(9).tolist()
    [0.013054254, 0.046572634, 1.203588663, 5.627397459]
    """
    if not model.learns:
        return _without_signal(model)
    Y, w = _candidates(model)
    if not Y.size:
        return FoldPoints(*(np.empty(0) for _ in range(4)))
    with np.errstate(all="ignore"):
        x0 = model.curve(Y, w).x
    usable = np.isfinite(x0) & (x0 > 0.0) & (x0 < 2.0 * model.bound)
    Y, w, x0 = Y[usable], w[usable], x0[usable]
    p = np.stack([x0, Y, w, x0], axis=1)
    found = solve_folds(_problem(model), np.ones((Y.size, 2)), p, 0)
    ok = np.array([s is Status.CONVERGED for s in found.status], dtype=bool)
    Y, w = Y * np.exp(found.x[:, 0] - 1.0), w * np.exp(found.x[:, 1] - 1.0)
    ok &= _moves_up(model, Y, w) & (found.parameter > 0.0)
    order = np.argsort(found.parameter[ok])
    x, error, Y, w = (a[ok][order] for a in (found.parameter, found.error, Y, w))
    single = np.insert(np.diff(x) > _SAME * x[1:], 0, True) if x.size else np.empty(0, dtype=bool)
    return FoldPoints(x[single], error[single], Y[single], w[single])


def _without_signal(model: ScoreModel) -> FoldPoints:
    """a = 0: the law of Marchenko and Pastur."""
    c = model.constants
    root = np.sqrt(model.psi_p / model.psi_n)
    x = c.v_squared * np.array([(1.0 - root) ** 2, (1.0 + root) ** 2])
    x = x[x > 0.0]
    none = np.full(x.size, np.inf)
    return FoldPoints(x, 8.0 * np.finfo(float).eps * x, none, none)


def _moves_up(model: ScoreModel, Y: Array, w: Array) -> NDArray[np.bool_]:
    """Whether w and -u change in the same direction along the curve."""
    b2w = model.constants.b_squared * w
    with np.errstate(all="ignore"):
        c = model.curve(Y, w)
        dy, dx = c.F_w, -c.F_Y  # tangent in (log Y, log w)
        du = -np.sign((1.0 + b2w) / (Y * w)) * (dx / (1.0 + b2w) + dy)
        return np.asarray(du * np.sign(w) * dx < 0.0)


def _special(model: ScoreModel) -> tuple[Array, Array]:
    """Ends of arcs: poles of x, near which bulks are narrow; branch points (or poles of w, if alpha = 0).

    x has poles at ``Y = -lambda_i``, at zero, and where ``1 + b^2 w = 0``, which is ``E lambda/(Y + lambda) = psi_n``.
    Both kinds of points solve ``start + slope y + sum_i c_i/(y - lambda_i) = 0`` in y = -Y with positive c, which falls
    from infinity to minus infinity between eigenvalues and holds one solution there.
    """
    c, law = model.constants, model.population
    values, weights = law.eigenvalues, law.weights
    sigma2, psi_n = law.sigma2, model.psi_n
    low, high = values[:-1], values[1:]

    branch = []
    for level in (-1.0, 1.0) if model.alpha else (0.0,):
        # beta = 2 level sqrt(alpha); at y = 0 this is (b - level v/sqrt(psi_n))^2/A, so two more are around zero.
        head = (c.b_squared + c.v_squared / psi_n - level * 2.0 * np.sqrt(model.alpha)) / c.A + sigma2 / psi_n
        starts, ends = np.concatenate([[-head, 0.0], low]), np.concatenate([[0.0, values[0]], high])
        first = np.append(-1.0, np.ones(values.size))
        branch.append(-_secular(values, weights * values**2 / psi_n, (head, 1.0), starts, ends, first))
    starts, ends = np.append(-sigma2 / psi_n, low), np.append(values[0], high)
    silent = -_secular(values, weights * values, (psi_n, 0.0), starts, ends, np.ones(values.size))
    return np.sort(np.concatenate([-values, [0.0], silent])), np.sort(np.concatenate(branch))


def _secular(values: Array, charges: Array, line: tuple[float, float], low: Array, high: Array, first: Array) -> Array:
    """Solutions y of ``line[0] + line[1] y + sum_i charges_i/(y - values_i) = 0`` between low and high.

    `first` is the sign at low.  Newton's method, and halving where it would leave the interval.
    """
    low, high, found = low.copy(), high.copy(), 0.5 * (low + high)
    live, rows = np.arange(found.size), max(1, _CHUNK // values.size)
    for _ in range(_TO_ROUNDING):
        y, parts = found[live], []
        with np.errstate(all="ignore"):
            for k in range(0, y.size, rows):
                near = 1.0 / (y[k : k + rows, None] - values)
                parts.append((near @ charges, (near * near) @ charges))
            total, steep = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            value = line[0] + line[1] * y + total
            newton = y - value / (line[1] - steep)
        same = np.sign(value) == first[live]
        low[live], high[live] = np.where(same, y, low[live]), np.where(same, high[live], y)
        inside = (newton > low[live]) & (newton < high[live])
        found[live] = np.where(inside, newton, 0.5 * (low[live] + high[live]))
        live = live[np.abs(found[live] - y) > _EPS * np.abs(y)]
        if not live.size:
            break
    return found


def _halved(f: Callable[[Array], Array], low: Array, high: Array, first: Array) -> Array:
    """Roots of f between low and high, roughly, by halving; `first` is its sign at low."""
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        same = np.sign(f(middle)) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return 0.5 * (low + high)


def _place(sheet_low: Array, sheet_high: Array, s: Array) -> Array:
    """Y on arcs (a, 1) at logistic coordinates s (a, n); unbounded arcs are spread exponentially."""
    size = np.where(np.isfinite(sheet_low), np.abs(sheet_low), np.abs(sheet_high)) + 1e-3
    with np.errstate(all="ignore"):
        share = 1.0 / (1.0 + np.exp(-s))
        inner = np.where(s < 0.0, sheet_low + (sheet_high - sheet_low) * share, 0.0)
        outer = sheet_high - (sheet_high - sheet_low) / (1.0 + np.exp(s))
        bounded = np.where(s < 0.0, inner, outer)
        right, left = sheet_low + size * np.exp(s), sheet_high - size * np.exp(-s)
    return np.where(np.isinf(sheet_high), right, np.where(np.isinf(sheet_low), left, bounded))


def _rates(model: ScoreModel, Y: Array, roots: tuple[int, ...]) -> list[tuple[Array, Array]]:
    """For roots w of the quadratic at Y: w, and the normalised derivative of x along the curve."""
    alpha, found = model.alpha, []
    with np.errstate(all="ignore"):
        averages = model.averages(Y)
        beta = model.beta(Y, averages[1])
        disc = np.sqrt(np.maximum(beta * beta - 4.0 * alpha, 0.0))
        large = -0.5 * (beta + np.where(beta < 0.0, -1.0, 1.0) * disc)  # no cancellation
        for root in roots:
            w = large / alpha if root > 0 else 1.0 / large
            c = model.curve(Y, w, averages)
            rate = (c.x_Y * c.F_w - c.x_w * c.F_Y) / (np.hypot(c.F_Y, c.F_w) * np.hypot(c.x_Y, c.x_w))
            found.append((w, np.where(np.isfinite(rate), rate, np.nan)))
    return found


def _candidates(model: ScoreModel) -> tuple[Array, Array]:
    """Rough folds ``(Y, w)``, by samples along all arcs and refinement between them."""
    poles, branch = _special(model)
    ends = np.unique(np.concatenate([[-np.inf], poles, branch, [np.inf]]))
    low, high = ends[:-1], ends[1:]
    with np.errstate(all="ignore"):
        middle = _place(low[:, None], high[:, None], np.zeros((low.size, 1)))
        real = model.beta(middle, model.averages(middle)[1])[:, 0] ** 2 >= 4.0 * model.alpha
    low, high = low[real][:, None], high[real][:, None]
    n = int(np.clip(_BUDGET // max(low.size, 1), *_SAMPLES))
    # Denser in the middle of an arc, and still a few per e-fold towards its ends.
    s = np.tile(_ENDS * np.sinh(np.linspace(-_CENTRE, _CENTRE, n)) / np.sinh(_CENTRE), (low.size, 1))
    roots = (1, -1) if model.alpha else (-1,)
    sheets = _rates(model, _place(low, high, s), roots)
    found = [
        part
        for root, (w, rate) in zip(roots, sheets, strict=True)
        for part in _on_sheet(model, root, low, high, s, w, rate)
    ]
    # At a branch point the curve goes on from one sheet to the other, and a fold may sit between their last samples.
    for end, side in ((low, 0), (high, -1)) if model.alpha else ():
        one, other = (rate[:, side] for _, rate in sheets)
        passed = (one * other > 0.0) & (np.minimum(np.abs(one), np.abs(other)) > _BESIDE)
        Y = end[np.isin(end, branch)[:, 0] & ~np.isin(end, poles)[:, 0] & ~passed, 0]
        found.append((Y, -0.5 * model.beta(Y, model.averages(Y)[1]) / model.alpha))
    Y, w = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Y, w


def _on_sheet(
    model: ScoreModel, root: int, low: Array, high: Array, s: Array, w: Array, rate: Array
) -> Iterator[tuple[Array, Array]]:
    """Changes of sign of the rate between samples s (a, n) of arcs; runs of samples are refined where two may hide."""
    for depth in range(_DEPTH):
        if depth:
            ((w, rate),) = _rates(model, _place(low, high, s), (root,))
        a, b = rate[:, :-1], rate[:, 1:]
        row, k = np.nonzero((a * b < 0.0) & (np.sign(w[:, :-1]) == np.sign(w[:, 1:])))
        arc = low[row], high[row]

        def rates(at: Array, arc: tuple[Array, Array] = arc) -> Array:
            return _rates(model, _place(*arc, at), (root,))[0][1]

        at = _halved(rates, s[row, k][:, None], s[row, k + 1][:, None], np.sign(a[row, k])[:, None])
        Y = _place(*arc, at)[:, 0]
        here = _rates(model, Y, (root,))[0][0]
        rises = _moves_up(model, Y, here)
        yield Y[rises], here[rises]
        # Two folds between samples leave a minimum of |rate| that a parabola could take below zero.
        before, size, after = (np.abs(r) for r in (rate[:, :-2], rate[:, 1:-1], rate[:, 2:]))
        with np.errstate(invalid="ignore"):
            dip = (size <= before) & (size <= after) & (2.0 * size < before + after - 2.0 * size)
            dip &= (a[:, :-1] * b[:, 1:] > 0.0) & (a[:, :-1] * b[:, :-1] > 0.0) & (size > _NOISE)
        row, k = (index[:_MOST_DIPS] for index in np.nonzero(dip))
        if not row.size:
            return
        low, high = low[row], high[row]
        share = np.linspace(0.0, 1.0, _ZOOM)
        s = s[row, k][:, None] * (1.0 - share) + s[row, k + 2][:, None] * share


def _problem(model: ScoreModel) -> Problem:
    """``F = 0`` and ``x(Y, w) = x`` in ``(1 + log Y/Y_0, 1 + log w/w_0)``; p is ``(x, Y_0, w_0, scale of x)``."""
    c = model.constants
    b2, psi = c.b_squared, model.psi_p

    def place(x: Array, p: Array) -> tuple[Array, Array]:
        return p[:, 1] * np.exp(x[:, 0] - 1.0), p[:, 2] * np.exp(x[:, 1] - 1.0)

    def linearised(k: Curve, p: Array) -> Linearised:
        unit, scale = 1.0 + np.abs(k.F_w), p[:, 3]
        residual = np.stack([k.F / unit, (k.x - p[:, 0]) / scale], axis=1)
        jacobian = np.stack(
            [np.stack([k.F_Y, k.F_w], 1) / unit[:, None], np.stack([k.x_Y, k.x_w], 1) / scale[:, None]], 1
        )
        columns = np.zeros((len(p), 2, 4))
        columns[:, 1, 0] = -1.0 / scale
        return Linearised(residual, jacobian, columns)

    def linearise(x: Array, p: Array) -> Linearised:
        with np.errstate(all="ignore"):
            return linearised(model.curve(*place(x, p)), p)

    def extend(x: Array, p: Array, v: Array) -> Extended:
        with np.errstate(all="ignore"):
            Y, w = place(x, p)
            h0, h1, h0_Y, _, h0_YY, h1_YY = averages = model.averages(Y, second=True)
            k = model.curve(Y, w, averages)
            unit, scale = 1.0 + np.abs(k.F_w), p[:, 3]
            noise, P = c.v_squared / (c.A * Y), w * (1.0 + b2 * w)
            rho, rho_w = (1.0 + 2.0 * b2 * w) / (1.0 + b2 * w), b2 * w / (1.0 + b2 * w) ** 2
            F = (
                (c.A * (h1_YY / model.psi_n - Y) * w, k.F_Y),
                (k.F_Y, 4.0 * model.alpha * w * w + model.beta(Y, h1) * w),
            )
            z_Yw = noise / w + rho * h0_Y / P
            z_ww = (noise + 1.0 - psi) / w + h0 / P * (rho_w - rho * rho)
            z = ((noise * (1.0 / w + b2) - h0_YY / P, z_Yw), (z_Yw, z_ww))
            second = np.empty((len(x), 2, 2))
            for row, (h, size) in enumerate(((F, unit), (z, scale))):
                for j in range(2):
                    second[:, row, j] = (h[0][j] * v[:, 0] + h[1][j] * v[:, 1]) / size
            return Extended(*linearised(k, p), second, np.zeros((len(x), 2, 4)))

    return Problem(
        residual=lambda x, p: linearise(x, p).residual,
        linearise=linearise,
        extend=extend,
        names=("log Y", "log w"),
        parameter_names=("x", "Y_0", "w_0", "scale"),
    )
