"""`spinodal validate MODEL`: theory against simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spinodal.commands.answers import Answer
from spinodal.commands.progress import reporting
from spinodal.commands.simulate import (
    Coefficients,
    LFeatures,
    LTrain,
    Samples,
    Seed,
    Workers,
    without_features,
)
from spinodal.commands.solve import State
from spinodal.commands.verbs import Point, Verb
from theory.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["VERB"]

Sizes = Annotated[str, typer.Option("--N", help="Numbers of spins, with commas.")]


def validate(
    point: Point,
    *,
    state: State = "example",
    L: LFeatures = None,
    N: Sizes = "1000,2000,4000",
    coefficients: Coefficients = "gaussian",
    L_train: LTrain = 3,
    samples: Samples = 16,
    seed: Seed = 0,
    workers: Workers = 1,
) -> Answer:
    """Compare theory with simulation at growing N."""
    import spinodal

    with reporting("validate") as report:
        spinodal.validate(
            point.model(),
            state,
            N=whole_numbers(N),
            L=L,
            coefficients=coefficients,
            L_train=L_train,
            samples=samples,
            seed=seed,
            workers=workers,
            progress=report,
        )

    def show(console: Console) -> None: ...

    return Answer({}, show)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Numbers of a list such as ``1000,2000``.

    Examples
    --------
    >>> whole_numbers("1000, 2000")
    (1000, 2000)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(
            f"N = '{text}' is no list of whole numbers; give the sizes with commas, as 1000,2000,4000."
        ) from None


VERB = Verb("validate", "Compare theory with simulation at growing N.", validate, without_features)
