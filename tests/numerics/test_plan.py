"""Plans: what is refused and how, what is a point, a task and the same plan."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from numerics.measured import OBSERVABLES, measured
from numerics.plan import Plan, difference, shard_of, simulation
from numerics.plan_file import plan_from, read_plan
from numerics.simulate import run_sample, task
from theory.errors import InvalidInput, MissingExtra
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

GOOD = """
model = "random-features"
N = [100, 200]
samples = 10
seed = 3
samples_per_task = 4
observables = ["m", "energy"]

[parameters]
alpha_d = 0.5

[grid]
alpha = { start = 0.05, stop = 0.2, count = 4 }
nonlinearity = ["sign", "tanh"]

[run]
start = "example"
"""

MODEL = """
from dataclasses import dataclass
from theory.models.hopfield import Hopfield

@dataclass(frozen=True)
class Mine(Hopfield):
    name = "mine-of-the-plan"
"""

# What is replaced in the good plan, by what, and what the sentence must say.
ERRORS = [
    ("samples = 10", "sampels = 10", "key 'sampels' is unknown; did you mean 'samples'?"),
    ("seed = 3", "seeds = 3", "did you mean 'seed'?"),
    ("[parameters]", "[parameter]", "did you mean 'parameters'?"),
    ("alpha_d = 0.5", "alpha_f = 0.5", "key 'alpha_f' in [parameters] is unknown; did you mean 'alpha_d'?"),
    ('start = "example"', 'strat = "example"', "key 'strat' in [run] is unknown; did you mean 'start'?"),
    ('start = "example"', "seed = 4", "key 'seed' in [run] is unknown; it belongs at the top"),
    ("alpha_d = 0.5", 'alpha_d = 0.5\ntie = "keep"', "it belongs under [run]"),
    ("nonlinearity =", "nonlinearty =", "did you mean 'nonlinearity'?"),
    ("count = 4", "cuont = 4", "key 'cuont' in [grid] alpha is unknown; did you mean 'count'?"),
    ('"m", "energy"', '"m", "enregy"', "observable 'enregy' is unknown; did you mean 'energy'?"),
    ('"m", "energy"', '"m", "q"', "observable 'q' (overlap of replicas, in absolute value) is measured nowhere"),
    ('"m", "energy"', "", "observables = []"),
    ('"m", "energy"', '"m", "m"', "holds 'm' twice"),
    ('model = "random-features"', 'model = "random-feature"', "did you mean 'random-features'"),
    ('model = "random-features"', "model = 3", "model = 3 is no text"),
    ('model = "random-features"', "", "model is missing"),
    ('model = "random-features"', 'model = "./nowhere.py:Model"', "does not exist"),
    ("N = [100, 200]", "", "N is missing"),
    ("N = [100, 200]", "N = []", "N = [] is empty"),
    ("N = [100, 200]", "N = [100, 2.5]", "N = 2.5"),
    ("N = [100, 200]", "N = [100, true]", "N = True"),
    ("N = [100, 200]", "N = [100, 1]", "N = 1 is not allowed; give a whole number of at least 2"),
    ("N = [100, 200]", "N = [100, 100]", "N holds 100 twice"),
    ("samples = 10", "samples = 0", "samples = 0"),
    ("samples = 10", 'samples = "10"', "samples = '10'"),
    ("seed = 3", "seed = 0.5", "seed = 0.5"),
    ("samples_per_task = 4", "samples_per_task = 0", "samples_per_task = 0"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "[]", "alpha = [] in [grid] is empty"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "0.1", "alpha = 0.1 in [grid] is no list"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "[0.1, nan]", "not finite"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", '[0.1, "x"]', "same type"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "[0.1, true]", "alpha in [grid]"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "[0.1, 0.1]", "alpha holds 0.1 twice"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "[0.1, -0.1]", "alpha = -0.1"),
    ("{ start = 0.05, stop = 0.2, count = 4 }", "[0.1, 0.001]", "P = round(alpha N) = 0"),
    ("count = 4", "count = 1", "count of alpha in [grid] = 1"),
    ("count = 4", "log = true", "alpha in [grid] has no count"),
    (
        "start = 0.05, stop",
        "start = 0.0, log = true, stop",
        "start = 0.0 of alpha in [grid] is not allowed; give a pos",
    ),
    ("start = 0.05, stop", "start = inf, stop", "start = inf"),
    ("start = 0.05, stop", "log = 1, start = 0.05, stop", "log = 1"),
    ("alpha_d = 0.5", "alpha_d = [0.5]", "alpha_d in [parameters] is no number or text"),
    ("alpha_d = 0.5", "alpha_d = 0.5\nalpha = 0.1", "alpha is both fixed in [parameters] and varied in [grid]"),
    ("alpha_d = 0.5", "alpha_d = -1", "alpha_d = -1"),
    ("alpha_d = 0.5", "", "alpha_d is missing"),
    ("[parameters]\nalpha_d = 0.5", "", "alpha_d is missing"),
    ('"tanh"', '"tanq"', "'tanq' is unknown"),
    ('start = "example"', 'start = "exampel"', "did you mean 'example'"),
    ('start = "example"', "start = 1", "start = 1 is not allowed; give a text"),
    ('start = "example"', 'overlap = "1"', "overlap = '1' is not allowed; give a number"),
    ('start = "example"', "overlap = 2", "overlap = 2"),
    ('start = "example"', "L = 2.5", "L = 2.5 is not allowed; give a whole number"),
    ("[run]", "run = 3\n[runs]", "unknown"),
    ("samples = 10", 'samples = 10\nbackend = "cpu"', "key 'backend' is unknown; it belongs under [run]."),
    ("samples = 10", "samples = 10\nworkers = 4", "key 'workers' is unknown; it belongs to the command line"),
    ('start = "example"', "threads = 4", "key 'threads' in [run] is unknown; it belongs to the command line"),
    ("alpha = {", "# {", "alpha is missing; give alpha in [grid] or [parameters]."),
    ("count = 4", "count = 99999999999", "count of alpha in [grid] = 99999999999 is too much; give 100000 values or l"),
    ("count = 4", "count = 90000", "[grid] and N make 360000 points, and 100000 are the most"),
    (
        "samples = 10",
        "samples = 1000000000",
        "samples = 1000000000 of each of 16 points are 16000000000 samples, and 10000000 are the most; give",
    ),
    (
        "samples = 10\nseed = 3\nsamples_per_task = 4",
        "samples = 600000\nsamples_per_task = 9",
        "samples_per_task = 9 makes 1066672 tasks, and 1000000 are the most; give samples_per_task = 10 or more.",
    ),
]


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(("old", "new", "part"), ERRORS, ids=[e[1].replace("\n", " ") or f"no {e[0]}" for e in ERRORS])
def test_an_error_is_one_sentence_that_names_file_and_key(written, old, new, part):
    assert old in GOOD
    path = written(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidInput) as caught:
        read_plan(path)
    assert part in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_package_is_told_of_the_plan_too(written, monkeypatch):
    def missing(*_, **__):
        raise MissingExtra("package 'cupy' is not installed.")

    monkeypatch.setattr("numerics.task.backend_named", missing)
    path = written(GOOD)
    with pytest.raises(MissingExtra, match=rf"^plan '{path}' at .*: package 'cupy'"):
        read_plan(path)


def test_files_that_are_no_plans(tmp_path, written):
    for path, part in (
        (tmp_path / "none.toml", "No such file"),
        (tmp_path, "Is a directory"),
        (written("model = \n N = 3"), "line 1"),
        (written(GOOD + "\n[grid]\nalpha = [1.0]"), "line"),
    ):
        with pytest.raises(InvalidInput, match=part):
            read_plan(path)
    (tmp_path / "plan.toml").write_bytes(b"model = '\xff'")
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_plan(tmp_path / "plan.toml")


def test_the_plan_is_enumerated_completely_and_once(written):
    plan = read_plan(written(GOOD))
    assert plan.axes == {"alpha": (0.05, 0.1, 0.15, 0.2), "nonlinearity": ("sign", "tanh")}
    blocks = list(plan.blocks())
    assert len(blocks) == plan.tasks == 4 * 2 * 2 * 3
    assert len({b.name for b in blocks}) == len(blocks)
    samples = {(b.point.N, *b.point.values.values(), i) for b in blocks for i in range(b.first, b.last)}
    assert len(samples) == 4 * 2 * 2 * 10 == sum(b.last - b.first for b in blocks)
    assert plan.summary() == "4 alpha x 2 nonlinearity x 2 N x 10 samples = 160 samples in 48 tasks of up to 4"
    assert all("/" not in b.name and len(b.name) < 150 for b in blocks)


def test_shards_share_the_tasks_without_overlap_and_each_has_all_sizes(written):
    blocks = list(read_plan(written(GOOD)).blocks())
    shards = [shard_of(blocks, (i, 5)) for i in range(1, 6)]
    assert sorted(b.number for shard in shards for b in shard) == list(range(len(blocks)))
    assert all({b.point.N for b in shard} == {100, 200} for shard in shards)


def test_arrays_and_tuples_are_lists():
    listed = {"model": "hopfield", "N": [100, 200], "samples": 4, "grid": {"alpha": [0.05, 0.1]}}
    arrays = {**listed, "N": (100, np.int64(200)), "samples": np.int64(4), "grid": {"alpha": np.array([0.05, 0.1])}}
    assert plan_from(arrays).to_json() == plan_from(listed).to_json()


def test_a_longer_range_has_the_very_points_of_a_shorter_one():
    def grid(count, **more):
        table = {"model": "hopfield", "N": 100, "samples": 1}
        return plan_from({**table, "grid": {"alpha": {"start": 0.07, "stop": 0.7, "count": count, **more}}})

    assert set(grid(10).axes["alpha"]) < set(grid(19).axes["alpha"])
    assert {p.key for p in grid(10).points()} < {p.key for p in grid(19).points()}
    assert set(grid(4, log=True).axes["alpha"]) < set(grid(7, log=True).axes["alpha"])


def test_a_plan_survives_json_and_knows_its_extensions(written):
    plan = read_plan(written(GOOD))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert difference(plan, plan) is None
    assert difference(plan, replace(plan, samples=20, samples_per_task=7, observables=None)) is None
    assert difference(plan, replace(plan, N=(100, 200, 400))) is None
    longer = replace(plan, axes={**plan.axes, "alpha": (0.3, *plan.axes["alpha"])})
    assert difference(plan, longer) is None
    assert difference(longer, plan) == "alpha = 0.3 is there and not here"
    assert difference(plan, replace(plan, samples=5)) == "samples = 10 there and 5 here"
    assert difference(plan, replace(plan, N=(100,))) == "N = 200 is there and not here"
    for old, new, part in (
        ("seed = 3", "seed = 4", "seed = 3 there and 4 here"),
        ("alpha_d = 0.5", "alpha_d = 0.6", "alpha_d = 0.5 there and 0.6 here"),
        ("alpha_d = 0.5", "alpha_d = 0.5\ntemperature = 0.1", "temperature = 0 there and 0.1 here"),
        ('start = "example"', 'start = "feature"', "start = example there and feature here"),
        ('start = "example"', "overlap = 0.9", "overlap = 1 there and 0.9 here"),
        ('nonlinearity = ["sign", "tanh"]', "", "the grid is over alpha, nonlinearity there and alpha here"),
        ('"random-features"', '"hopfield"', ""),
    ):
        text = GOOD.replace(old, new)
        if new == '"hopfield"':
            text = text.replace("alpha_d = 0.5", "").replace('nonlinearity = ["sign", "tanh"]', "")
            part = "model = random-features there and hopfield here"
        assert difference(plan, read_plan(written(text))) == part


def test_points_are_named_by_all_that_their_samples_depend_on(written):
    plan = read_plan(written(GOOD))
    keys = {p.key for p in plan.points()}
    for old, new in (
        ("seed = 3", "seed = 4"),
        ("alpha_d = 0.5", "alpha_d = 0.6"),
        ('start = "example"', 'start = "feature"'),
        ('start = "example"', 'tie = "plus"'),
        ('start = "example"', 'engine = "dense-float64"'),
    ):
        assert not keys & {p.key for p in read_plan(written(GOOD.replace(old, new))).points()}
    same = GOOD.replace("samples = 10", "samples = 30").replace("[0.5]", "[0.50]").replace('"m", ', "")
    assert keys == {p.key for p in read_plan(written(same)).points()}
    assert keys == {p.key for p in read_plan(written(GOOD.replace('start = "example"', "overlap = 1.0"))).points()}


def test_a_model_in_a_file_is_found_beside_the_plan_and_known_by_its_content(tmp_path, written, monkeypatch):
    (tmp_path / "mine.py").write_text(MODEL)
    monkeypatch.chdir("/")
    text = 'model = "./mine.py:Mine"\nN = 50\nsamples = 1\n[grid]\nalpha = [0.1]\n'
    plan = read_plan(written(text))
    assert plan.identity()["model"] == "Mine"
    assert simulation(plan, next(plan.points())).P == 5
    (tmp_path / "mine.py").write_text(MODEL + "\n# changed\n")
    assert difference(plan, read_plan(written(text))) == "the file of model Mine has changed since"


def test_options_may_be_axes():
    plan = plan_from(
        {"model": "hopfield", "N": [50], "samples": 1, "parameters": {"alpha": 0.1}, "grid": {"overlap": [0.5, 1]}}
    )
    assert [simulation(plan, p).overlap for p in plan.points()] == [0.5, 1.0]


WARM = {"sweeps": 32, "replicas": 2}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (Hopfield(0.1), {}),
        (Hopfield(0.1), {"start": "random"}),
        (Hopfield(0.1), {"start": "unseen", "order": "synchronous"}),
        (Hopfield(0.06), {"start": "mixture"}),
        (Hopfield(0.02), {}),
        (RandomFeatures(0.1, 0.5), {}),
        (RandomFeatures(0.1, 0.5), {"start": "mixture", "L": 5}),
        (RandomFeatures(0.1, 0.5), {"start": "unseen"}),
        (Hopfield(0.1, 0.3), WARM),
        (RandomFeatures(0.1, 0.5, 0.3), {**WARM, "start": "random"}),
        (RandomFeatures(0.1, 0.5, 0.3), {**WARM, "start": "example"}),
        (RandomFeatures(0.1, 0.5, 0.3), {**WARM, "start": "unseen"}),
    ],
    ids=str,
)
def test_what_will_be_measured_is_what_is_measured(model, options):
    ready = task(model, 50, **options)
    assert measured(ready) == set(run_sample(ready, 0))
    assert measured(ready) <= set(OBSERVABLES)
