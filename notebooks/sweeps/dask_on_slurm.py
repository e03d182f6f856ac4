"""A sweep on a SLURM cluster whose jobs Dask submits, grows and shrinks by itself.

Run it on the login node:  python dask_on_slurm.py PLAN.toml FOLDER
`spinodal sweep PLAN.toml --out FOLDER --slurm --workers 8` does the same with a fixed number of jobs, described in
~/.config/dask/jobqueue.yaml; here the jobs are described below.  Only this process writes to the folder.
"""

import sys

from dask_jobqueue import SLURMCluster

import spinodal as sp


def main(plan: str, folder: str) -> None:
    with SLURMCluster(cores=4, processes=4, memory="8 GB", walltime="04:00:00") as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=16)
        data = sp.sweep(plan, out=folder, dask=cluster.scheduler_address)
    print(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
