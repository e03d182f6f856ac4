"""Which representation of the couplings is quickest: a cost model with measured coefficients.

A dense engine pays for building N J, then O(1) per proposal and a row of N couplings per flip; the overlap form pays
for P patterns at every proposal (and again at every flip), and nothing before.  With F flips and S sweeps of N
proposals per start::

    dense    N^2 (fixed + P bit) + starts (S N scan + F (flip + N element))
    overlap  starts (S N (proposal + P term) + F (flip + P term))

In sampling F is what temperature makes it, acceptance times S N: give the acceptance, if it is known.  Coefficients
are in nanoseconds, measured on one core of an AVX-512 Xeon (2026); ``python benchmarks/engine_choice.py`` shows how
good the choice is.  Only their ratios matter, and where two costs are close so are the times.
"""

from __future__ import annotations

import os

from theory.errors import InvalidInput

__all__ = ["ACCEPTANCE", "SWEEPS", "available_memory", "cost", "dense_bytes", "quickest"]

# Of sampling, where nothing is known of it: the acceptance found where spins freeze, and a run of usual length.
ACCEPTANCE, SWEEPS = 0.1, 1000.0

_BUILD, _BUILD_BIT = 0.5, 0.0008  # building: an element of N J, and each of its P bits
_CORE = 0.05  # an element of a row in the core's own cache ...
_MEMORY, _BYTE = 0.045, 0.03  # ... and beyond it, more by each of its bytes
_CACHE = 4e6  # bytes of couplings from which on rows come from memory
_PROPOSAL = 7.0  # overlap form: a proposal beside its P terms

# By work.  Scan: one proposal of maintained fields, with its place in the order or its random word.  Flip: what a flip
# costs beside its row (a branch not foreseen, the wait for the row).  Term: one of P in the overlap form.
_SCAN = {"quench": 1.7, "sampling": 2.4}
_FLIP = {"quench": 100.0, "sampling": 40.0}
_TERM = {"quench": 0.027, "sampling": 0.028}
_OVERLAP_FLIP = {"quench": (0.0, 0.027), "sampling": (8.0, 0.05)}  # beside, and per, its P terms
_SAMPLED_BYTE = 0.037  # sampling: a byte of a row, and twice that ...
_FAR = 6e7  # ... from this size of the couplings on

_SHARE = 0.6  # of the machine's memory that couplings may take


def quickest(N: int, P: int, *, work: str, starts: int, acceptance: float = ACCEPTANCE, sweeps: float = SWEEPS) -> str:
    """Return 'overlap-bits' or 'dense' for N spins and P patterns of +-1.

    Parameters
    ----------
    work : {'quench', 'sampling'}
    starts : int
        Runs that share the couplings.
    acceptance, sweeps : float
        Of sampling: flips per proposal, and sweeps of one run.

    Raises
    ------
    InvalidInput
        If neither fits in memory.

    Examples
    --------
    >>> quickest(4000, 40, work="quench", starts=1), quickest(4000, 4000, work="quench", starts=100)
    ('overlap-bits', 'dense')
    """
    room = _SHARE * available_memory()
    bits = N * P / 8
    if bits > room:
        raise InvalidInput(
            f"N = {N} with P = {P} patterns takes {bits / 1e9:.1f} GB even as single bits, and this machine has "
            f"{room / _SHARE / 1e9:.1f} GB of memory; lower N or the load."
        )
    if dense_bytes(N, P) + bits > room:
        return "overlap-bits"
    kinds = ("overlap-bits", "dense")
    costs = [cost(kind, N, P, work=work, starts=starts, acceptance=acceptance, sweeps=sweeps) for kind in kinds]
    return kinds[costs.index(min(costs))]


def cost(
    kind: str, N: int, P: int, *, work: str, starts: int, acceptance: float = ACCEPTANCE, sweeps: float = SWEEPS
) -> float:
    """Return the estimated seconds of `starts` runs with couplings that are not built yet.

    Parameters
    ----------
    kind : {'dense', 'overlap-bits'}
    work, starts, acceptance, sweeps
        See :func:`quickest`.
    """
    flips = acceptance * sweeps
    if work == "quench":  # from a random configuration, as measured for N = 1000 to 10000
        sweeps, flips = 0.9 * N**0.5 * P / (P + 25), 0.9
    if kind == "dense":
        size = dense_bytes(N, P)
        if work == "sampling":
            element = _SAMPLED_BYTE * (2.0 if size > _FAR else 1.0) * size / N**2
        else:
            element = _MEMORY + _BYTE * size / N**2 if size > _CACHE else _CORE
        building = N**2 * (_BUILD + _BUILD_BIT * P)
        return 1e-9 * (building + starts * N * (_SCAN[work] * sweeps + flips * (_FLIP[work] + element * N)))
    flip, term = _OVERLAP_FLIP[work]
    return 1e-9 * starts * N * (sweeps * (_PROPOSAL + _TERM[work] * P) + flips * (flip + term * P))


def dense_bytes(N: int, P: int) -> float:
    """Return the bytes that N J takes, as far as P tells (values beyond 5.5 standard deviations are rare)."""
    return N**2 * (1.0 if min(P, 5.5 * P**0.5) <= 255 else 2.0)


def available_memory() -> float:
    """Return the bytes of physical memory; infinity where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")
