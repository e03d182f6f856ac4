"""`spinodal losses` and `spinodal times`: verbs of theories of training."""

from __future__ import annotations

from spinodal.commands.verbs import Other, Verb

__all__ = ["LOSSES", "TIMES"]

_SUMMARY = "Random-feature score model of diffusion, trained by gradient flow."
LOSSES = Verb(
    "losses",
    "Train and test loss against training time.",
    None,
    others=(Other("score", _SUMMARY, "spinodal.commands.score:losses"),),
)
TIMES = Verb(
    "times",
    "Time scales of training, and the region of the phase diagram.",
    None,
    others=(Other("score", _SUMMARY, "spinodal.commands.score:times"),),
)
