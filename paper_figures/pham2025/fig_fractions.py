r"""Fractions of memorised, spurious and generalised samples against the number of training points."""

from __future__ import annotations

from matplotlib.figure import Figure

from paper_figures.pham2025.panels import class_handles, fractions
from paper_figures.pham2025.trials import CIRCLE, DIGITS, WIDE, exact, network
from paper_figures.plan import Results, Sizes, Spec
from paper_figures.style import letter

__all__ = ["CLAIM", "COST", "FULL", "QUICK", "TOLERANCE", "draw", "spec"]

CLAIM = (
    "With more training points samples go from memorised through spurious to generalised.  A trained network gets "
    "there at a noise where the exact score memorises 999 of 1000 digits; the exact score does so where its wells "
    "merge (circle: K_c = sqrt(pi)/sigma)."
)
COST = "redraw: 3 s; networks and exact scores anew: 9 min of one core; --quick: 1 min"
TOLERANCE = "two standard errors over training sets; the order of the classes with K is what is compared"

# Training sets per number of training points; digits have two at most, and the circle 1000 points.
FULL: Sizes = {2: 3, 4: 3, 9: 3, 18: 3, 36: 3, 100: 3, 300: 3, 1000: 3, 1797: 2}
QUICK: Sizes = {3: 1, 30: 1, 200: 1}

_STEPS = 3000


def spec(sizes: Sizes) -> Spec:
    """Exact scores and networks on both data sets."""
    ring = {K: n for K, n in sizes.items() if K <= 1000}
    images = {K: min(n, 2) for K, n in sizes.items() if K != 4}
    return Spec(
        simulations={
            "circle exact": [t for K, n in ring.items() for t in exact(CIRCLE, K, n)],
            "circle network": [t for K, n in ring.items() for t in network(CIRCLE, K, n, steps=_STEPS)],
            "digits exact": [t for K, n in images.items() for t in exact(DIGITS, K, n)],
            "digits wide": [t for K, n in images.items() for t in exact(DIGITS, K, n, sigma=WIDE)],
            "digits network": [t for K, n in images.items() for t in network(DIGITS, K, n, steps=_STEPS)],
        }
    )


def draw(results: Results) -> Figure:
    """Exact score above, networks below; circle left, digits right."""
    found = results.records
    figure = Figure(figsize=(7.0, 4.4))
    rows = figure.subplots(2, 2, sharex="col", sharey=True)
    fractions(rows[0, 0], found["circle exact"])
    fractions(rows[0, 1], found["digits exact"], pale=True, lines=False)
    fractions(rows[0, 1], found["digits wide"])
    fractions(rows[1, 0], found["circle network"])
    fractions(rows[1, 1], found["digits network"])
    noise = {name: found[name][0].declared["sigma"] for name in ("circle exact", "digits exact")}
    for axes, text in (
        (rows[0, 0], f"circle, exact score, $\\sigma$ = {noise['circle exact']:.2f}"),
        (rows[0, 1], f"digits, exact score, $\\sigma$ = {WIDE:g} (pale: {noise['digits exact']:.2f})"),
        (rows[1, 0], f"circle, trained network, $\\sigma$ = {noise['circle exact']:.2f}"),
        (rows[1, 1], f"digits, trained network, $\\sigma$ = {noise['digits exact']:.2f}"),
    ):
        axes.set_title(text)
    for axes, mark in zip(rows.ravel(), "abcd", strict=True):
        letter(axes, f"({mark})", x=0.015, y=0.9)
    for axes in rows[0]:
        axes.set_xlabel("")
    for axes in rows[:, 0]:
        axes.set_ylabel("fraction")
    figure.legend(handles=class_handles(), loc="outside lower center", ncols=5)
    return figure
