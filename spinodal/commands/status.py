"""`spinodal status DIR`: where a sweep stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spinodal.commands.answers import Answer, table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["status"]


def status(
    folder: Annotated[str, typer.Argument(help="Folder of a sweep.", show_default=False)],
) -> Answer:
    """Tell how far a sweep is: tasks done, missing, claimed by living runs, and damaged records."""
    from numerics.sweep_folder import sweep_status
    from numerics.sweep_words import duration

    data = sweep_status(folder).to_json()

    def show(console: Console) -> None:
        rows = [(name, data[name]) for name in ("plan", "tasks", "done", "missing", "claimed", "corrupt")]
        left = data["remaining_seconds"]
        rows += [
            ("rate", None if data["rate"] is None else f"{60 * data['rate']:.3g} tasks/min"),
            ("remaining", None if left is None else duration(left)),
            ("dataset", "damaged; start the sweep again" if data["dataset_damaged"] else data["dataset"]),
        ]
        table(console, "", ("", ""), rows)

    return Answer(data, show)
