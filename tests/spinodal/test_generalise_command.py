"""`spinodal generalise`: answers, files, runs that were killed and go on, and misuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXACT = ("--no-network", "--samples", 32)


def records(out: Path) -> dict[str, bytes]:
    """Finished records; drafts begin with a dot."""
    return {p.name: p.read_bytes() for p in sorted((out / "records").glob("[!.]*.json"))}


def test_the_exact_score_of_the_circle(spinodal: Callable, tmp_path: Path) -> None:
    out, figure = tmp_path / "out", tmp_path / "a.png"
    arguments = ("generalise", "circle", "--K", 40, "--K", 2, "--sigma", 0.2, *EXACT, "--out", out)
    ran = spinodal(*arguments, "--figure", figure, "--json")
    assert ran.code == 0
    few, many = ran.data["trials"]
    assert (few["K"], many["K"]) == (2, 40)
    assert few["fractions"]["memorised"]["value"] == 1.0
    assert many["fractions"]["memorised"]["value"] < 0.2
    assert few["classes"]["memorised"]["curvatures"] == pytest.approx([2.0, 2.0], abs=1e-4)
    assert few["classes"]["memorised"]["t_c"]["error"] > 0.0
    assert "third of the 5 % quantile" in few["thresholds"]["why"]
    assert json.loads((out / "generalise.json").read_text()) == ran.data
    assert figure.read_bytes().startswith(b"\x89PNG")
    # Once more: nothing is computed, and people are told the same.
    before = records(out)
    shown = spinodal(*arguments)
    assert "2 of 2 trials are recorded" in shown.err
    for word in ("memorised", "delta_m", "log volume", "CONVERGED"):
        assert word in shown.out
    assert records(out) == before
    # A damaged record is computed again, to the same numbers.
    name = next(iter(before))
    (out / "records" / name).write_bytes(before[name][:200])
    assert spinodal(*arguments, "--json").data["trials"] == ran.data["trials"]


def test_networks_of_a_file(spinodal: Callable, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    file, out = tmp_path / "points.csv", tmp_path / "out"
    np.savetxt(file, np.random.default_rng(0).standard_normal((10, 3)), delimiter=",")
    ran = spinodal("generalise", file, "--K", 3, "--steps", 50, "--width", 8, "--samples", 16, "--out", out, "--json")
    assert ran.code == 0
    assert [(t["K"], t["score"]) for t in ran.data["trials"]] == [(3, "exact"), (3, "network")]
    assert 0.0 < ran.data["trials"][1]["loss"] < 3.0
    assert len(list((out / "networks").glob("*.npz"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_goes_on_and_loses_nothing(number: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("torch")

    def command(out: Path) -> list[str]:
        options = ("--no-exact", "--K", "3", "--K", "5", "--steps", "1500", "--width", "16", "--samples", "16")
        # A run in the background of a shell ignores interrupts unless told otherwise.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        code += "import sys; from spinodal.cli import main; sys.exit(main())"
        return [sys.executable, "-c", code, "generalise", "circle", *options, "--json", "--out", str(out)]

    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    process = subprocess.Popen(command(stopped), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 200
    while not records(stopped) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (out, "Traceback" in err) == ("", False)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "finished records are kept" in err
    kept = records(stopped)
    assert len(kept) >= 1
    subprocess.run(command(stopped), cwd=ROOT, check=True, capture_output=True)
    subprocess.run(command(whole), cwd=ROOT, check=True, capture_output=True)
    assert kept.items() <= records(stopped).items()
    found = [json.loads((place / "generalise.json").read_text())["trials"] for place in (stopped, whole)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("circel",), "did you mean 'circle'"),
        (("nothing.npy",), "is not a file"),
        (("circle", "--K", 1), "K = 1 is not allowed"),
        (("circle", "--K", 5, "--sigma", 9), "1e-08 <= sigma < 1.25"),
        (("circle", "--no-network", "--no-exact"), "leave no score"),
        (("circle", "--steps", 0), "steps = 0 is not allowed"),
        (("circle", "--repeats", 0), "repeats = 0 is not allowed"),
        (("circle", "--no-network", "--K", 50, "--delta-m", 1), "makes the classes overlap"),
        (("circle", "--no-network", "--K", 2, "--K", 999, "--delta-s", 0.3), "makes the classes overlap"),
        (("circle", "--K", 5, "--figure", "a.xyz"), "ends in"),
        (("circle", "--K", 10**7), "2 <= K <= 1000000"),
        (("circle", "--K", 5, "--sigma", "nan"), "sigma = nan is not allowed"),
        (("circle", "--K", 5, "--sigma", -1), "sigma = -1.0 is not allowed"),
        (("circle", "--K", 5, "--probes", 0), "probes = 0 is not allowed"),
        (("circle", "--K", 5, "--key", "a"), "leave it out"),
        (("nan.csv",), "NaN or infinity in 1 of 3 points"),
        (("three.csv", "--K", 4), "K = 4 is not allowed"),
        (("words.csv",), "which is no number"),
        (("one.csv",), "holds one point"),
    ],
)
def test_misuse_is_one_sentence(spinodal: Callable, tmp_path: Path, arguments: tuple, sentence: str) -> None:
    rows = {"nan": "0,1\n2,nan\n3,4", "three": "0,1\n2,2\n3,4", "words": "0,1\n2,two", "one": "0,1"}
    for name, text in rows.items():
        (tmp_path / f"{name}.csv").write_text(text + "\n")
    given = [tmp_path / a if str(a).endswith(".csv") else a for a in arguments]
    ran = spinodal("generalise", *given, "--out", tmp_path / "out", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err
    assert ran.err.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()


def test_orders_and_peaks_are_told_with_their_errors(spinodal: Callable, tmp_path: Path) -> None:
    loads = [word for K in (2, 12, 60) for word in ("--K", K)]
    arguments = ("generalise", "circle", *loads, "--sigma", 0.1, "--no-network", "--samples", 64, "--out", tmp_path)
    ran = spinodal(*arguments, "--json")
    assert (ran.code, ran.data["status"]) == (0, "CONVERGED")
    pooled = [o for o in ran.data["orders"] if o["K"] is None]
    assert {(o["above"], o["below"]) for o in pooled} >= {("memorised", "spurious"), ("spurious", "generalised")}
    for order in ran.data["orders"]:
        assert 0.0 <= order["superiority"] <= 1.0
        assert order["error"] >= 0.0
        assert min(order["places"]) >= 1
        assert order["verdict"] in ("yes", "reversed", "undecided")
    (peak,) = ran.data["peaks"]
    assert (peak["K"], peak["error"] > 0.0) == (12, True)
    for trial in ran.data["trials"]:
        assert trial["status"] == "CONVERGED"
        for found in trial["classes"].values():
            assert found["t_c"]["n"] >= found["places"] >= 1
    shown = spinodal(*arguments).out
    for word in ("memorised > spurious", "probability", "verdict", "a peak", "places"):
        assert word in shown
    assert max(len(line) for line in shown.splitlines() if not line.startswith("wrote")) <= 80


def test_a_missing_extra_is_one_sentence(spinodal: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = spinodal("generalise", "circle", "--K", 3, "--out", tmp_path / "out")
    assert (ran.code, ran.out) == (2, "")
    assert "pip install 'spinodal[neural]'" in ran.err
    assert "--no-network" in ran.err
    assert not (tmp_path / "out").exists()


def test_points_that_occur_twice_are_refused(spinodal: Callable, tmp_path: Path) -> None:
    np.save(tmp_path / "twice.npy", np.ones((3, 2)))
    ran = spinodal("generalise", tmp_path / "twice.npy", "--no-network", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "occur more than once" in ran.err


def test_models_and_cite_know_it_and_its_commands_exist(spinodal: Callable) -> None:
    listed = {m["name"]: m for m in spinodal("models", "--json").data["models"]}
    assert listed["generalise"]["commands"] == ["generalise"]
    for name in ("score", "dense-memory", "generalise", "rem"):
        for command in listed[name]["commands"]:
            assert spinodal(*command.split(), "--help").code == 0
        references = spinodal("cite", name, "--json").data["references"]
        assert references
        assert all(text.startswith("@") and "year" in text for text in references)
    keys = [
        text.partition("{")[2].partition(",")[0] for text in spinodal("cite", "generalise", "--json").data["references"]
    ]
    assert keys == ["pham2025", "song2021", "karras2022"]
