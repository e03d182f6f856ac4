"""The command `spinodal`.

Exit codes: 0 done; 1 a fault of spinodal; 2 misuse; 3 not converged; 4 theory and simulation disagree.  With `--json`,
codes 0, 3 and 4 print one JSON object on stdout; misuse prints nothing there and one sentence on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as command_from

from spinodal import neighbours

__all__ = ["application", "main"]


INTERRUPTED = 130
ORDER = (
    *("models", "solve", "threshold", "diagram", "denoise", "spectrum", "losses", "times", "collapse", "attractors"),
    "generalise",
    *("simulate", "validate", "basins", "sweep", "status"),
    *("figure", "figures", "bench", "cite", "env"),
)


class _Root(TyperGroup):
    """Top level: without a command it shows what there is."""

    def list_commands(self, ctx: Any) -> list[str]:
        # In the order of use; typer puts commands before groups.
        return sorted(super().list_commands(ctx), key=ORDER.index)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"spinodal {version('spinodal')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Phase diagrams of associative memories: theory with error estimates, checked by simulation."""


def application() -> typer.Typer:
    """Return the typer application with all commands."""
    from spinodal.commands import (
        attractors,
        basins,
        bench,
        cite,
        collapse,
        denoise,
        diagram,
        env,
        figure,
        generalise,
        losses,
        models,
        simulate,
        solve,
        spectrum,
        status,
        sweep,
        threshold,
        validate,
    )
    from spinodal.commands.verbs import answering, group

    app = typer.Typer(name="spinodal", cls=_Root, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_root)
    app.command("models")(answering(models.models))
    theory = (solve.VERB, threshold.VERB, diagram.VERB, denoise.VERB, spectrum.VERB, losses.LOSSES, losses.TIMES)
    for verb in (*theory, simulate.VERB, validate.VERB, basins.VERB):
        app.add_typer(group(verb))
    app.command("collapse")(answering(collapse.collapse))
    app.command("attractors")(answering(attractors.attractors))
    app.command("generalise")(answering(generalise.generalise))
    app.command("sweep")(answering(sweep.sweep))
    app.command("status")(answering(status.status))
    app.command("figure")(answering(figure.figure))
    app.command("figures")(answering(figure.figures))
    app.add_typer(group(cite.VERB))
    app.command("bench")(answering(bench.bench))
    app.command("env")(answering(env.env))
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every failure is one sentence on stderr.

    Set SPINODAL_DEBUG=1 to see the traceback of a failure.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        neighbours.check()
    except ImportError as problem:
        # Before anything of ours is imported: with a stranger in the way, those imports fail in odd places.
        print(problem, file=sys.stderr)
        return 2
    try:
        command = command_from(application())
        code = command.main(
            args=list(sys.argv[1:] if argv is None else argv), prog_name="spinodal", standalone_mode=False
        )
        if code == INTERRUPTED:  # before a command began; typer says nothing
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        print("Interrupted; nothing half-written is left, and finished records are kept.", file=sys.stderr)
        return INTERRUPTED
    except Exception as problem:
        if os.environ.get("SPINODAL_DEBUG", "") not in ("", "0"):
            import traceback

            traceback.print_exc()
        from spinodal.commands.faults import code_and_sentence

        code, sentence = code_and_sentence(problem)
        print(" ".join(sentence.split()), file=sys.stderr)
        return code
