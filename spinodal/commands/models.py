"""`spinodal models`: the models that can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spinodal.commands.answers import Answer, table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["models"]


def models() -> Answer:
    """List the models, their parameters and states."""
    import spinodal
    from spinodal.commands.theories import THEORIES

    found = spinodal.models()
    data = {
        "models": [
            {
                "name": name,
                "summary": cls.summary,
                "states": [state.replace("_", "-") for state in cls.states],
                "parameters": [
                    {"name": p.name, "help": p.help, "low": p.low, "high": p.high, "low_open": p.low_open}
                    | {"default": p.default, "whole": p.whole}
                    for p in (*getattr(cls, "structural", ()), *cls.parameters)
                ],
            }
            for name, cls in found.items()
        ]
        + [
            # No replica free energy: their parameters are the options of their own commands.
            {"name": t.name, "summary": t.summary, "states": [], "parameters": [], "commands": list(t.commands)}
            for t in THEORIES.values()
        ]
    }

    def show(out: Console) -> None:
        for entry in data["models"]:
            rows = [("states", ", ".join(entry["states"]))] if entry["states"] else []
            rows += [("command", f"spinodal {command} --help") for command in entry.get("commands", ())]
            rows += [(f"--{p['name'].replace('_', '-')}", p["help"]) for p in entry["parameters"]]
            table(out, f"{entry['name']}: {entry['summary']}", ("", ""), rows)
            out.print()

    return Answer(data, show)
