"""Sweeps that are interrupted or killed, or whose tasks fail: what was done is kept, and the result is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from numerics import dataset
from numerics.executors import local
from numerics.plan_file import read_plan
from numerics.sweep import fill, sweep
from numerics.sweep_folder import SweepFolder, sweep_status
from theory.errors import NotConverged

# A model that fails, or kills its process, at one load.
BAD = """
import os, signal
from dataclasses import dataclass
from pathlib import Path
from theory.model import register
from theory.models.hopfield import Hopfield

@register
@dataclass(frozen=True)
class Bad(Hopfield):
    name = "bad-of-the-tests"
    def pattern_law(self, **options):
        if self.alpha == 0.2 and os.environ.get("BAD_HOW") == "raise":
            raise RuntimeError("this load is bad")
        if self.alpha == 0.2 and os.environ.get("BAD_HOW") == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.alpha == 0.2 and os.environ.get("BAD_HOW") == "once":
            mark = Path(__file__).with_name("mark")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().pattern_law(**options)
"""
BAD_PLAN = 'model = "./bad.py:Bad"\nN = [40]\nsamples = 4\nsamples_per_task = 2\n[grid]\nalpha = [0.1, 0.2, 0.3, 0.4]\n'


@pytest.fixture
def bad(tmp_path, monkeypatch):
    def make(how):
        # Validation happens in this process, without the fault; workers see it.
        (tmp_path / "bad.py").write_text(BAD)
        (tmp_path / "bad.toml").write_text(BAD_PLAN)
        ready = read_plan(tmp_path / "bad.toml")
        monkeypatch.setenv("BAD_HOW", how)
        return ready

    return make


@pytest.mark.parametrize(
    ("workers", "how"), [(1, "raise"), *(pytest.param(2, how, marks=pytest.mark.slow) for how in ("raise", "kill"))]
)
def test_a_task_that_fails_is_named_and_loses_no_other(bad, tmp_path, workers, how):
    ready = bad(how)
    with pytest.raises(NotConverged) as caught:
        fill(ready, tmp_path / "out", workers=workers)
    sentence = str(caught.value)
    assert "2 of 8 tasks failed" in sentence
    assert "N40_alpha0.2_" in sentence
    assert {"raise": "RuntimeError: this load is bad", "kill": "killed 3 times"}[how] in sentence
    assert caught.value.solution.done == 6
    assert not (tmp_path / "out" / "dataset.nc").exists()
    os.environ["BAD_HOW"] = ""
    assert fill(ready, tmp_path / "out")


def test_a_worker_that_is_killed_once_costs_nothing_and_is_told(bad, tmp_path, capsys):
    assert fill(bad("once"), tmp_path / "out", workers=2)
    told = capsys.readouterr().err
    assert told.startswith("A worker process was killed, perhaps for want of memory; ")
    assert "run again" in told


def _leftovers(pid):
    """Processes of the session that the command led."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _gone(pid):
    """Whether they end: workers by themselves when who hands out the tasks is gone, helpers of loky a little later."""
    deadline = time.monotonic() + 20
    while _leftovers(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not _leftovers(pid)


@pytest.mark.parametrize(
    ("workers", "number"),
    [
        (2, signal.SIGINT),
        *(
            pytest.param(w, n, marks=pytest.mark.slow)
            for w in (1, 2)
            for n in (signal.SIGINT, signal.SIGTERM)
            if (w, n) != (2, signal.SIGINT)
        ),
    ],
)
def test_the_first_interrupt_finishes_running_tasks(slow, tmp_path, workers, number, same, start, await_records):
    out = tmp_path / "out"
    process = start("sweep", slow, "--out", out, "--workers", workers)
    await_records(out, 2)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    stdout, err = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert "Finishing the running tasks" in err
    assert "Traceback" not in err
    status = SweepFolder(out).status()
    assert err.endswith(f"Stopped: {status.done} of 24 tasks recorded; start it again to go on.\n")
    assert 2 <= status.done < status.tasks
    assert (status.claimed, status.corrupt, _gone(process.pid)) == (0, 0, True)
    assert same(sweep(slow, out=out), sweep(slow, out=tmp_path / "alone"))


def test_an_interrupt_while_workers_start_kills_none_of_them(slow, tmp_path, start):
    process = start("sweep", slow, "--out", tmp_path / "out", "--workers", 2)
    while process.poll() is None and len(_leftovers(process.pid)) < 4:  # itself, a helper and two workers
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Finishing the running tasks" in err
    assert "memory" not in err
    assert "Traceback" not in err
    status = SweepFolder(tmp_path / "out").status()
    assert err.endswith(f"Stopped: {status.done} of 24 tasks recorded; start it again to go on.\n")
    assert (status.claimed, _gone(process.pid)) == (0, True)


def test_processes_are_born_deaf_to_ctrl_c_and_this_one_is_not():
    with local(2) as pool:
        heard = pool.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result(timeout=60)
    assert signal.SIGINT in heard
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_second_interrupt_stops_now(slow, tmp_path, start, await_records):
    # The first task of a process is quick, and the others take long.
    seconds = "60 if hasattr(time, 'later') else setattr(time, 'later', 1) or 0"
    model = tmp_path / "slow.py"
    model.write_text(model.read_text().replace("0.05", seconds))
    table = "N = [40]\nsamples = 6\nsamples_per_task = 1\n[parameters]\nalpha = 0.1\n"
    slow.write_text(f'model = "./slow.py:Slow"\n{table}')
    process = start("sweep", slow, "--out", tmp_path / "out", "--workers", 2)
    await_records(tmp_path / "out", 2)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None  # the running tasks take long
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    status = SweepFolder(tmp_path / "out").status()
    assert (status.done, status.claimed, _gone(process.pid)) == (2, 0, True)


def test_workers_end_with_a_sweep_that_is_killed_and_its_records_are_used(slow, tmp_path, start, await_records, same):
    slow.write_text(slow.read_text().replace("samples = 3", "samples = 6"))
    process = start("sweep", slow, "--out", tmp_path / "out", "--workers", 2)
    await_records(tmp_path / "out", 4)
    assert len(_leftovers(process.pid)) >= 3  # itself, its workers and their helpers
    process.kill()
    process.wait()
    ended, left = _gone(process.pid), _leftovers(process.pid)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    assert ended, left
    status = sweep_status(tmp_path / "out")
    assert 4 <= status.done < status.tasks
    assert (status.claimed, status.corrupt) == (0, 0)
    assert same(sweep(slow, out=tmp_path / "out"), sweep(slow, out=tmp_path / "alone"))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are told from others by /proc")
@pytest.mark.parametrize("signalled", [True, False])
def test_a_child_ends_with_its_parent(tmp_path, signalled):
    """By the signal of Linux, and by looking at the parent where there is none."""
    child = f"""
import os, sys, time
from numerics import orphans
orphans.LOOK = 0.05
if not {signalled}:
    orphans._signalled = lambda: False
orphans.end_with(int(sys.argv[1]))
open({str(tmp_path / "child")!r}, "w").write(str(os.getpid()))
time.sleep(60)
"""
    parent = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, str(os.getpid())])"
    process = subprocess.Popen([sys.executable, "-c", parent], start_new_session=True)
    deadline = time.monotonic() + 30
    while not (tmp_path / "child").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(_leftovers(process.pid)) == 2
    process.kill()
    process.wait()
    assert _gone(process.pid)


def _killed(slow, tmp_path, kills, rng, start):
    """Start a run, kill -9 it (or one of its workers) at a random moment, and again; then let one end."""
    out, done, leaders = tmp_path / "out", 0, []
    for kill in range(kills):
        process = start("sweep", slow, "--out", out, "--workers", 1 + kill % 2)
        time.sleep(rng.uniform(0.8, 2.4))
        os.killpg(process.pid, signal.SIGKILL) if kill % 4 in (0, 3) else process.kill()
        process.communicate(timeout=60)
        leaders.append(process.pid)
        records = len(list(out.glob("records/*.json"))) if out.exists() else 0
        assert records >= done
        done = records
    process = start("sweep", slow, "--out", out, "--workers", 2)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert SweepFolder(out).status().corrupt == 0
    assert all(_gone(leader) for leader in leaders)
    return dataset.read_dataset(out)


@pytest.mark.slow
def test_a_sweep_killed_again_and_again_ends_in_the_same_data_set(slow, tmp_path, same, start):
    assert same(_killed(slow, tmp_path, 4, random.Random(1), start), sweep(slow, out=tmp_path / "alone"))


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_ends_in_the_same_data_set(slow, tmp_path, same, start):
    slow.write_text(slow.read_text().replace("[40, 50]", "[40, 50, 60]").replace("samples = 3", "samples = 7"))
    assert same(_killed(slow, tmp_path, 20, random.Random(2), start), sweep(slow, out=tmp_path / "alone"))
