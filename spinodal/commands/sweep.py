"""`spinodal sweep PLAN.toml`: compute what a folder lacks of a plan, on this machine or many, and gather it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from numerics.progress import reporting
from spinodal.commands.answers import OK, Answer, say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["sweep"]


def sweep(
    plan: Annotated[Path, typer.Argument(help="Plan in TOML: model, grids, N, samples.", show_default=False)],
    *,
    out: Annotated[
        str | None, typer.Option("--out", help="Folder of records and data set.", show_default="name of the plan")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes (jobs, with --slurm).", show_default="all cores")
    ] = None,
    dask: Annotated[
        str | None, typer.Option("--dask", help="Address or file of a running Dask scheduler.", show_default=False)
    ] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Submit jobs to SLURM by dask-jobqueue.")] = False,
    shard: Annotated[str, typer.Option("--shard", help="i/n: this run's share, for job arrays.")] = "1/1",
) -> Answer:
    """Run a plan: its missing tasks are computed and recorded one by one, and gathered into one data set.

    A run that was stopped in any way goes on where it was; several runs may share a folder.
    """
    from numerics.executors import ONE_THREAD

    if "numpy" not in sys.modules:  # tasks of this process then round as those of worker processes do
        os.environ.update(ONE_THREAD)
    from numerics.plan_file import read_plan
    from numerics.sweep import fill, parse_shard
    from numerics.sweep_folder import SweepFolder, place_of

    part = parse_shard(shard)
    ready = read_plan(plan)
    place = Path(plan.stem) if out is None else place_of(out)
    share = f"shard {shard} of " if part != (1, 1) else ""
    with reporting("sweep") as report:
        complete = fill(
            ready,
            place,
            workers=_cores() if workers is None else workers,
            dask=dask,
            slurm=slurm,
            shard=part,
            progress=report,
            announce=lambda known: say(f"{share}{ready.summary()}, of which {known} are recorded in '{place}'."),
        )
    status = SweepFolder(place).status()
    data = status.to_json() | {"shard": shard, "unequilibrated_samples": _unequilibrated(place) if complete else None}
    remark = ""
    if data["unequilibrated_samples"]:
        remark = f"{data['unequilibrated_samples']} samples are not equilibrated; see 'equilibrated' in the data set."

    def show(console: Console) -> None:
        if complete:
            console.print(f"wrote {status.dataset}", markup=False, soft_wrap=True)
        else:
            console.print(f"shard {shard} is done; {status.missing} tasks of others are missing", markup=False)

    return Answer(data, show, OK, remark)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _unequilibrated(place: Path) -> int | None:
    from numerics.dataset import read_dataset

    found = read_dataset(place).attrs.get("unequilibrated_samples")
    return None if found is None else int(found)
