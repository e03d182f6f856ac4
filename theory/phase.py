"""Phase boundaries: spinodal, thermodynamic, AT and continuous lines, each a root with an error estimate.

- *spinodal*: the fold where the state appears.
- *thermodynamic*: its free energy equals that of the uncondensed state that exists there, the spin glass below T_g
  and the paramagnet above; the result names it.
- *at*: the replicon of the state vanishes (replica symmetry becomes unstable).
- *continuous*: the paramagnet becomes unstable towards the spin glass (T_g).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from theory.crossings import FINDERS, Crossing
from theory.errors import InvalidInput, NotConverged
from theory.model import LINES, checked, normalise
from theory.parameters import derived_of, fixed
from theory.points import reported, rs_stable
from theory.problem import Status

__all__ = ["Threshold", "threshold", "threshold_of"]


@dataclass(frozen=True)
class Threshold:
    """A critical value of one parameter.

    Attributes
    ----------
    model, state, line, vary : str
    L : int or None
        Size of a mixture.
    parameters : dict of str to float
        The fixed ones.
    value : float or None
        The outermost (largest) solution.
    error : float or None
        Estimated absolute error of `value`.
    state_exists : {'above', 'below'} or None
        On which side of `value` the state exists (thermodynamic: is the stable one; AT: is replica symmetric).
    all : list of float
        All solutions found, ascending.
    status : Status
    order_parameters : dict
        Of the state at `value`.
    uncondensed : str or None
        For thermodynamic lines, the state it is compared with.
    rs_stable : bool or None
        Whether replica symmetry is stable at `value`; None on the lines where its stability changes.
    transverse : float or None
        Mixtures: stability, at `value`, against overlaps that move against each other; negative for a saddle, which no
        dynamics ends in.  None for other states.
    digits : str or None
        Value to the digits asked for.
    certificate : dict or None
    message : str
    derived : dict
        What the model reports besides (`Model.derived`), at `value`; at the top level of the JSON form.
    """

    model: str
    state: str
    L: int | None
    line: str
    vary: str
    parameters: dict[str, float]
    value: float | None
    error: float | None
    state_exists: str | None
    all: list[float]
    status: Status
    order_parameters: dict[str, float | None]
    uncondensed: str | None = None
    rs_stable: bool | None = None
    transverse: float | None = None
    digits: str | None = None
    certificate: dict[str, Any] | None = None
    message: str = ""
    derived: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        fixed = ", ".join(f"{k} = {v:g}" for k, v in self.parameters.items())
        name = f"{self.line} line of {self.model}, {self.state.replace('_', '-')}" + (
            f" L = {self.L}" if self.L else ""
        )
        if self.value is None:
            return f"{name} ({fixed}): {self.message or self.status.value}"
        return f"{name} ({fixed}): {self.vary} = {self.value:.12g} +- {self.error:.1e}, exists {self.state_exists}"

    def to_json(self) -> dict[str, Any]:
        """The threshold as plain types; digits and certificate only when there are any."""
        out = {**self.__dict__, "status": self.status.value}
        out |= out.pop("derived")
        for key in ("digits", "certificate"):
            if out[key] is None:
                del out[key]
        return out


def threshold(
    model: Any,
    state: str = "example",
    *,
    line: str = "spinodal",
    vary: str = "alpha",
    L: int | None = None,
    digits: int | None = None,
    certify: bool = False,
    throw: bool = True,
) -> Threshold:
    """Solve for the critical value of one parameter at fixed others.

    Parameters
    ----------
    model : Model
        All parameters but `vary` given.
    state, line, vary : str
        Which boundary: see the module.
    L : int or None
        Size of a mixture (default 3).
    digits : int or None
        Also give the value to so many significant digits (multiple precision).
    certify : bool
        Also prove the digits by a Krawczyk test in ball arithmetic.
    throw : bool
        Raise NotConverged when no trustworthy value was found.

    Returns
    -------
    Threshold

    Raises
    ------
    InvalidInput
        For unknown names or missing parameters.
    NotConverged
        When the state or the line does not exist, with the Threshold.

    Examples
    --------
    >>> from theory.models.hopfield import Hopfield
    >>> round(threshold(Hopfield()).value, 12)
    0.137905566495
    """
    state, L = checked(model, state, vary=vary, L=L)
    line = normalise(line, LINES, "line")
    _refuse_fixed(model, vary)
    if vary == "temperature":
        model = replace(model, temperature=1.0)  # the equations of T > 0; the value itself is not used
    _refuse(model, state, L, line, vary, digits)
    crossings, why = FINDERS[line](model, state, L, vary)
    result = threshold_of(model, state, L, line, vary, crossings, why)
    if crossings and (digits is not None or certify):
        from theory.digits import with_digits

        result = with_digits(result, max(crossings, key=lambda c: c.value), digits, certify)
    if throw and result.status is not Status.CONVERGED:
        raise NotConverged(result.message, result)
    return result


def _refuse_fixed(model: Any, vary: str) -> None:
    """A value given for the very parameter that is solved for would be ignored without a word."""
    default = next(p.default for p in model.parameters if p.name == vary)
    given = getattr(model, vary)
    if given is not None and given != default:
        raise InvalidInput(f"{vary} = {given:g} is both fixed and varied; leave it out of the model, or vary another.")


def _refuse(model: Any, state: str, L: int, line: str, vary: str, digits: int | None) -> None:
    """Combinations that have no meaning."""
    condensed = state not in ("paramagnet", "spin_glass")
    if line in ("spinodal", "thermodynamic") and not condensed:
        raise InvalidInput(
            f"line '{line}' of state '{state.replace('_', '-')}' is not defined; it belongs to condensed states, so "
            "choose example, feature or mixture, or the line continuous."
        )
    if line == "continuous" and condensed:
        raise InvalidInput(
            f"line 'continuous' of state '{state}' is not defined; condensed states appear discontinuously at their "
            "spinodal, so choose --line spinodal, or the state spin-glass."
        )
    cold = line in ("at", "continuous") and vary != "temperature" and model.temperature == 0.0
    if cold and not (condensed and model.ground_state_energy(state, L).replicon is not None):
        why = "the state always breaks replica symmetry" if condensed else "there is no paramagnet"
        raise InvalidInput(
            f"line '{line}' of {model.name} at temperature = 0 is not defined ({why} there); vary the temperature, or "
            "give temperature > 0."
        )
    if digits is not None and not 1 <= digits <= 1000:
        raise InvalidInput(f"digits = {digits} is not allowed; give a number from 1 to 1000.")


def threshold_of(
    model: Any, state: str, L: int, line: str, vary: str, crossings: list[Crossing], why: str
) -> Threshold:
    common: dict[str, Any] = {
        "model": model.name,
        "state": state,
        "L": L if state == "mixture" else None,
        "line": line,
        "vary": vary,
        "parameters": fixed(model, leaving=(vary,)),
    }
    if not crossings:
        at = ", ".join(f"{k} = {v:g}" for k, v in common["parameters"].items())
        message = f"NO_SOLUTION: no {line} line of '{state.replace('_', '-')}' in {vary} at {at}: {why}."
        return Threshold(
            **common, value=None, error=None, state_exists=None, all=[], status=Status.NO_SOLUTION, order_parameters={},
            message=message, derived=derived_of(replace(model, **{vary: None})),
        )  # fmt: skip
    distinct: list[Crossing] = []
    for c in sorted(crossings, key=lambda c: c.value):
        if not distinct or abs(c.value - distinct[-1].value) > 1e-9 * c.value:
            distinct.append(c)
    last = distinct[-1]
    return Threshold(
        **common,
        value=last.value,
        error=last.error,
        state_exists=last.side,
        all=[c.value for c in distinct],
        status=Status.CONVERGED,
        order_parameters=reported(last.point, last.x),
        uncondensed=last.uncondensed,
        rs_stable=None if line in ("at", "continuous") else rs_stable(last.point, last.x),
        transverse=None
        if last.point.equations.free_energy.transverse is None
        else last.point.scalar("transverse", last.x),
        derived=derived_of(last.point.model),
    )
