"""`spinodal cite MODEL`: the papers of a model."""

from __future__ import annotations

from spinodal.commands.answers import Answer
from spinodal.commands.declarations import Declaration
from spinodal.commands.theories import THEORIES
from spinodal.commands.verbs import Other, Point, Verb

__all__ = ["VERB"]


def cite(point: Point) -> Answer:
    """Print the papers that define a model, as BibTeX."""
    entries = [text.strip() for text in point.cls.references]
    data = {"model": point.declared.name, "references": entries}
    # Printed without rich: BibTeX is to be piped into a file, and must not be wrapped.
    return Answer(data, lambda out: print("\n\n".join(entries)))


def _all_parameters(declared: Declaration) -> set[str]:
    """Citing a model needs no point."""
    return {p.name for p in (*declared.parameters, *declared.structural)} | {*declared.texts, *declared.flags}


_OTHERS = tuple(
    Other(t.name, t.summary, f"spinodal.commands.theories:cite_{t.name.replace('-', '_')}") for t in THEORIES.values()
)
VERB = Verb("cite", "Print the papers that define a model, as BibTeX.", cite, _all_parameters, others=_OTHERS)
