r"""When a diffusion model with the exact empirical score collapses on its data.

With ``n = exp(alpha d)`` data points in d dimensions the empirical score follows the law of the data until the noisy
point ``x_t`` says which data point it came from:

    I(x_0; x_t)/d = alpha

(the sum over the other points condenses there; by Nishimori's identity its excess entropy vanishes where the
information about the planted point reaches its logarithm).  The information of a Gaussian channel depends on its
signal-to-noise ratio alone, so the law is solved for ``snr`` and read in the time of the process:

    vp:  x_t = e^{-t} x_0 + sqrt(1 - e^{-2t}) xi,      snr = 1/(e^{2t} - 1);
    ve:  x_t = x_0 + sigma xi,      sigma^2 = t,       snr = 1/sigma^2.

Data enter through an information function alone (`theory.diffusion.information`), ``snr -> I/d``; for Gaussian data of
covariance C it is ``(1/2d) log det(1 + snr C)``.

References
----------
G. Biroli, T. Bonnaire, V. de Bortoli, M. Mezard, Nature Communications 15, 9957 (2024).
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from theory.arrays import real_numbers
from theory.diffusion.information import Information, Value
from theory.diffusion.overlap_laws import EPS, Root
from theory.diffusion.rem import increasing_root
from theory.errors import InvalidInput, is_number, nearest, whole_number
from theory.problem import Status

__all__ = ["PROCESSES", "Collapse", "checked_process", "collapse", "mixture_collapse", "time_at"]

PROCESSES = {
    "vp": "x_t = e^{-t} x_0 + sqrt(1 - e^{-2t}) xi",
    "ve": "x_t = x_0 + sqrt(t) xi, so that sigma^2 = t",
}
LARGEST_ALPHA = 300.0  # exp(2 alpha) must be a number


def checked_process(process: str) -> str:
    """The process by name."""
    if process not in PROCESSES:
        close = nearest(str(process), PROCESSES)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"process '{process}' is unknown; choose vp or ve{hint}")
    return process


def time_at(root: Root, process: str) -> tuple[float | None, float | None]:
    """Time of a process at a signal-to-noise ratio, and its error."""
    if root.value is None or root.error is None:
        return None, None
    s = root.value
    if process == "ve":
        return 1.0 / s, root.error / s / s + EPS / s
    t = 0.5 * math.log1p(1.0 / s)
    return t, 0.5 * root.error / s / (1.0 + s) + 2.0 * EPS * t


@dataclass(frozen=True)
class Collapse:
    """Where the noisy point identifies the data point it came from.

    Attributes
    ----------
    alpha : float
        ``log(n)/d``.
    process : {'vp', 've'}
    t_C, error : float or None
        Collapse time (for 've' the variance sigma^2 of the noise) and its absolute error; None if there is none.
    snr : float or None
        Signal-to-noise ratio there.
    status : Status
        NO_SOLUTION where the data have less entropy than alpha: then every noise leaves several of them possible.
    """

    alpha: float
    process: str
    t_C: float | None
    error: float | None
    snr: float | None
    status: Status

    def to_json(self) -> dict[str, Any]:
        """Plain numbers under the names of the command line."""
        return {**self.__dict__, "status": self.status.value, "convention": PROCESSES[self.process]}


def _check_load(alpha: Any) -> None:
    if not is_number(alpha) or not 0.0 < alpha <= LARGEST_ALPHA:
        raise InvalidInput(f"alpha = {alpha} is not allowed; give log(n)/d with 0 < alpha <= {LARGEST_ALPHA:g}.")


def _check_information(information: Any) -> None:
    """Refuse what is no function from a signal-to-noise ratio to a value with its error."""
    remedy = "give a function from snr to Value(value, error), such as gaussian_information(1.0)"
    if not callable(information):
        raise InvalidInput(f"information = {reprlib.repr(information)} is no function; {remedy}.")
    found = information(1.0)
    if not isinstance(found, Value):
        raise InvalidInput(f"the information function returned {reprlib.repr(found)}; {remedy}.")


def collapse(information: Information, alpha: float, *, process: str = "vp") -> Collapse:
    """Solve ``I(x_0; x_t)/d = alpha``.

    Parameters
    ----------
    information : callable
        ``snr -> Value``, the mutual information per dimension in nats; increasing.
    alpha : float
        ``log(n)/d`` > 0.
    process : {'vp', 've'}

    Raises
    ------
    InvalidInput
        For a load that is not positive, an unknown process, or a function that does not return a `Value`.

    Examples
    --------
    >>> from theory.diffusion.information import gaussian_information
    >>> found = collapse(gaussian_information(1.0), 0.5)
    >>> round(found.t_C, 6), round(found.t_C - 0.5 * math.log(1 + 1 / (math.e - 1)), 14)
    (0.229338, 0.0)
    """
    _check_load(alpha)
    checked_process(process)
    _check_information(information)
    root = increasing_root(
        lambda s: information(s).value - alpha,
        math.expm1(2.0 * alpha),
        largest=1e300,
        noise=lambda s: information(s).error + EPS * alpha,
    )
    # Where the information is at its supremum to rounding, the root is rounding's.
    if root.value is None or root.error is None or root.error > 0.1 * root.value:
        root = Root(None, None, Status.NO_SOLUTION)
    t, error = time_at(root, process)
    return Collapse(alpha, process, t, error, root.value, root.status)


def mixture_collapse(
    informations: Sequence[Information],
    weights: Sequence[float],
    alpha: float,
    *,
    dimension: int | None = None,
    process: str = "vp",
) -> list[Collapse]:
    """Collapse of data in separate classes, class by class.

    A noisy point competes with the points of its own class only, of which there are ``w n``; so every class collapses
    where its own information is ``alpha + log(w)/d``.

    Parameters
    ----------
    informations : sequence of callables
        One per class, of the data within it.
    weights : sequence of float
        Shares of the data, summing to one.
    alpha : float
        ``log(n)/d`` of all data.
    dimension : int or None
        d; None for infinity, where the shares do not matter.

    Raises
    ------
    InvalidInput
        For shares that are not positive or do not sum to one, or a class with less than two points.

    Examples
    --------
    >>> from theory.diffusion.information import gaussian_information
    >>> one = gaussian_information(1.0)
    >>> both = mixture_collapse([one, one], [0.5, 0.5], 0.5, dimension=20)
    >>> both[0].t_C > collapse(one, 0.5).t_C
    True
    """
    _check_load(alpha)
    if dimension is not None:
        whole_number("dimension", dimension, 1)
    w = real_numbers("weights", weights, "shares of the classes")
    if len(w) != len(informations) or not len(w) or (w <= 0.0).any() or abs(w.sum() - 1.0) > 1e-9:
        raise InvalidInput(
            f"weights {[float(x) for x in w]} of {len(informations)} classes are not allowed; give one positive share "
            "per class, summing to 1."
        )
    found = []
    for information, share in zip(informations, w, strict=True):
        own = alpha + (math.log(share) / dimension if dimension is not None else 0.0)
        if own <= 0.0:
            raise InvalidInput(
                f"a class with the share {share:g} has less than two points; give more data or merge it."
            )
        found.append(collapse(information, own, process=process))
    return found
