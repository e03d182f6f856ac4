"""`spinodal bench`: how fast this machine is, against peers and against its own limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinodal.commands.answers import FAULT, OK, Answer
from theory.errors import InvalidInput, nearest

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["bench"]

FOLDER = Path(__file__).parents[2] / "benchmarks"
NOT_SCRIPTS = ("harness", "__init__", "__main__")
# A benchmark compares one core with one core.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def _known() -> list[str]:
    """Names of the benchmarks of this checkout."""
    return sorted(p.stem for p in FOLDER.glob("*.py") if p.stem not in NOT_SCRIPTS)


HELP = f"Benchmarks to run: {', '.join(_known()) or 'there are none without a source checkout'}."


def bench(
    names: Annotated[list[str] | None, typer.Argument(help=HELP, show_default="all")] = None,
    *,
    write: Annotated[bool, typer.Option("--write", help="Append the rows to benchmarks/results.")] = False,
    repeats: Annotated[
        int | None, typer.Option("--repeats", show_default="per benchmark", help="Timed runs of each way.")
    ] = None,
) -> Answer:
    """Measure ratios against peers and limits of this machine, each in one run, interleaved; print the tables."""
    known = _known()
    if not known:
        raise InvalidInput(f"there are no benchmarks in '{FOLDER}'; run this command in a source checkout of spinodal.")
    for name in names or ():
        if name not in known:
            close = nearest(name, tuple(known))
            hint = f"; did you mean '{close}'?" if close else "."
            raise InvalidInput(f"benchmark '{name}' is unknown; choose one of {', '.join(known)}{hint}")
    if repeats is not None and repeats < 1:
        raise InvalidInput(f"repeats = {repeats} is not allowed; give repeats >= 1.")
    options = (["--write"] if write else []) + (["--repeats", str(repeats)] if repeats is not None else [])
    tables: dict[str, list[str]] = {}
    failed = []
    for name in names or known:
        print(f"benchmark {name}", file=sys.stderr, flush=True)
        code, tables[name] = _lines(FOLDER / f"{name}.py", options)
        if code != 0:
            failed.append(name)
    remark = f"These benchmarks failed: {', '.join(failed)}; their own messages are above." if failed else ""
    data = {"benchmarks": tables, "failed": failed, "folder": str(FOLDER)}
    return Answer(data, lambda out: _show(out, tables), FAULT if failed else OK, remark)


def _lines(script: Path, options: list[str]) -> tuple[int, list[str]]:
    """Run a script in a process of its own, showing rows on stderr as they come, and return its code and lines."""
    command = [sys.executable, str(script), *options]
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), *sys.path[1:]])}
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line.rstrip("\n"))
    return process.returncode, lines


def _show(out: Console, tables: dict[str, list[str]]) -> None:
    if out.is_terminal and sys.stderr.isatty():
        return  # the rows have been seen as they came
    for lines in tables.values():
        out.print("\n".join(lines), markup=False, soft_wrap=True)
