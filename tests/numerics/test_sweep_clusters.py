"""Sweeps beyond one machine: a real Dask scheduler with workers, and jobs of a stand-in for SLURM."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from numerics import executors, simulate
from numerics.sweep import sweep
from numerics.sweep_folder import SweepFolder
from theory.errors import InvalidInput, MissingExtra


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers, each a process of its own."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    environment = {**os.environ, "PYTHONPATH": str(Path(simulate.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    dask = [sys.executable, "-m", "dask"]
    command = [
        *dask,
        "scheduler",
        "--port",
        "0",
        "--no-dashboard",
        "--host",
        "127.0.0.1",
        "--scheduler-file",
        str(file),
    ]
    processes = [subprocess.Popen(command, env=environment, **quiet)]
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    worker = [*dask, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    processes += [subprocess.Popen(worker, env=environment, **quiet) for _ in range(2)]
    yield str(file), processes[0], processes[1:]
    for process in processes:
        process.kill()
        process.wait()


def test_a_dask_cluster_that_loses_a_worker_gives_the_same_data_set(slow, tmp_path, cluster, same, await_records):
    address, _, workers = cluster
    killer = threading.Thread(target=lambda: (await_records(tmp_path / "out", 4), workers[0].kill()))
    killer.start()
    found = sweep(slow, out=tmp_path / "out", dask=address)
    killer.join()
    assert workers[0].wait() == -signal.SIGKILL
    assert workers[1].poll() is None
    assert same(found, sweep(slow, out=tmp_path / "alone"))


def test_a_scheduler_that_dies_is_told_in_a_sentence_and_costs_no_record(slow, tmp_path, cluster, start, await_records):
    address, scheduler, _ = cluster
    slow.write_text(slow.read_text().replace("samples = 3", "samples = 40"))
    process = start("sweep", slow, "--out", tmp_path / "out", "--dask", address)
    await_records(tmp_path / "out", 4)
    scheduler.kill()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert "is lost; finished tasks are recorded, so run again." in err.splitlines()[-1]
    assert "Traceback" not in err
    status = SweepFolder(tmp_path / "out").status()
    assert status.done >= 4
    assert (status.claimed, status.corrupt) == (0, 0)


def test_all_logs_of_dask_are_quiet_also_those_with_a_level_of_their_own():
    pytest.importorskip("distributed")
    child = logging.getLogger("distributed.client")
    before = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    try:
        child.setLevel(logging.WARNING)
        executors._hush()
        assert not child.isEnabledFor(logging.CRITICAL)
        assert logging.getLogger("numba").level == before.get("numba", 0)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def test_clusters_that_are_not_there(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "CONNECT", 0.5)
    for options, part in (
        ({"workers": 0}, "workers = 0"),
        ({"workers": 2.0}, "workers = 2.0"),
        ({"dask": "tcp://127.0.0.1:9", "slurm": True}, "--dask and --slurm"),
    ):
        with pytest.raises(InvalidInput, match=part):
            sweep(plan, out=tmp_path / "out", **options)
    pytest.importorskip("distributed")
    with pytest.raises(InvalidInput, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        sweep(plan, out=tmp_path / "out", dask="tcp://127.0.0.1:9")
    with pytest.raises(InvalidInput, match=r"no Dask scheduler answers at 'none\.json'"):
        sweep(plan, out=tmp_path / "out", dask="none.json")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInput, match="'sbatch' is not found"):
        sweep(plan, out=tmp_path / "out", slurm=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"dask": "tcp://127.0.0.1:9"}, {"slurm": True}], ids=str)
def test_a_missing_package_is_named_with_the_line_that_installs_it(plan, tmp_path, monkeypatch, options):
    for module in ("dask", "distributed", "dask_jobqueue"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install 'spinodal\[cluster\]'"):
        sweep(plan, out=tmp_path / "out", **options)


SBATCH = """#!{python}
import os, subprocess, sys
process = subprocess.Popen(["bash", sys.argv[-1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)
open(os.path.join(os.path.dirname(__file__), "jobs"), "a").write(str(process.pid) + "\\n")
print("Submitted batch job", process.pid)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of dask-jobqueue's own making
def test_jobs_submitted_to_slurm(plan, tmp_path, monkeypatch, same):
    """A stand-in for sbatch starts the job script at once; everything else is real."""
    pytest.importorskip("dask_jobqueue")
    (tmp_path / "bin").mkdir()
    for name, text in (("sbatch", SBATCH.format(python=sys.executable)), ("scancel", "#!/bin/sh\nkill -- -$1\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(simulate.__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    try:
        found = sweep(plan, out=tmp_path / "out", slurm=True, workers=2)
    finally:
        jobs = [int(line) for line in (tmp_path / "bin" / "jobs").read_text().split()]
        for job in jobs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job, signal.SIGKILL)
    assert len(jobs) == 2
    assert same(found, sweep(plan, out=tmp_path / "alone"))
