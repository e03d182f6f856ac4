"""What the commands answer: keys, values, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import spinodal as sp

ALPHA_C = 0.137905566494931737  # Amit-Gutfreund-Sompolinsky, T = 0


def test_models_lists_what_each_takes(spinodal: Callable) -> None:
    done = spinodal("models", "--json")
    assert done.code == 0
    found = {entry["name"]: entry for entry in done.data["models"]}
    assert [p["name"] for p in found["random-features"]["parameters"]] == ["alpha", "alpha_d", "temperature"]
    assert "spin-glass" in found["hopfield"]["states"]


def test_solve_has_the_promised_keys(spinodal: Callable) -> None:
    done = spinodal("solve", "hopfield", "--alpha", 0.12, "--temperature", 0.05, "--state", "example", "--json")
    assert (done.code, done.err) == (0, "")
    keys = {"model", "state", "parameters", "status", "residual", "order_parameters", "free_energy", "replicon"}
    assert keys | {"energy", "entropy"} <= set(done.data)
    assert done.data["status"] == "CONVERGED"
    assert done.data["parameters"] == {"alpha": 0.12, "temperature": 0.05}
    assert done.data["order_parameters"]["m"] == pytest.approx(0.99259706117160, abs=1e-13)


def test_solve_at_zero_temperature_has_no_replicon_and_says_so(spinodal: Callable) -> None:
    data = spinodal("solve", "hopfield", "--alpha", 0.1, "--json").data
    assert (data["replicon"], data["rs_stable"]) == (None, False)


def test_states_are_spelled_as_typed(spinodal: Callable) -> None:
    for word in ("spin-glass", "spin_glass"):
        data = spinodal("solve", "hopfield", "--alpha", 0.1, "--state", word, "--json").data
        assert data["state"] == "spin-glass"


def test_all_parameters_are_named_texts_too(spinodal: Callable) -> None:
    arguments = ("solve", "random-features", "--alpha", 1, "--alpha-d", 0.01, "--state", "feature", "--json")
    asked = {"alpha": 1.0, "alpha_d": 0.01, "temperature": 0.0}
    assert spinodal(*arguments).data["parameters"] == {**asked, "nonlinearity": "sign"}
    done = spinodal(*arguments, "--nonlinearity", "erf")
    assert done.data["parameters"] == {**asked, "nonlinearity": "erf"}


def test_beyond_the_spinodal_it_exits_3_and_names_the_spinodal(spinodal: Callable) -> None:
    done = spinodal("solve", "hopfield", "--alpha", ALPHA_C + 1e-6, "--json")
    assert done.code == 3
    assert done.data["status"] in ("NO_SOLUTION", "WRONG_BRANCH")
    assert done.data["order_parameters"]["m"] is None
    assert "0.1379055664" in done.data["message"]
    assert done.err == done.data["message"] + "\n"
    plain = spinodal("solve", "hopfield", "--alpha", ALPHA_C + 1e-6)
    assert (plain.code, plain.out, plain.err) == (3, "", done.err)


def test_just_below_the_spinodal_it_solves(spinodal: Callable) -> None:
    data = spinodal("solve", "hopfield", "--alpha", ALPHA_C - 1e-6, "--json").data
    assert 0.96 < data["order_parameters"]["m"] < 0.98


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (("hopfield",), ALPHA_C),
        (("hopfield", "--temperature", 0.1), 0.13504918977),
        (("hopfield", "--temperature", 0.3), 0.1033297825791),
        (("random-features", "--alpha-d", 1), 0.1048823134),
        (("random-features", "--alpha-d", 0.2), 0.0556231502),
        (("random-features", "--alpha-d", 0.05, "--state", "feature"), 0.7979255076),
        (("random-features", "--alpha-d", 0.01, "--state", "feature"), 0.0978621650),
        (("random-features", "--alpha", 1, "--state", "mixture", "--L", 3, "--vary", "alpha_d"), 0.0145507884),
        (("random-features", "--alpha-d", 0.01, "--state", "feature", "--temperature", 1), 0.10416902),
        (("random-features", "--alpha-d", 1, "--temperature", 0.3), 0.07928813),
    ],
)
def test_known_thresholds(spinodal: Callable, arguments: tuple[object, ...], value: float) -> None:
    done = spinodal("threshold", *arguments, "--json")
    assert done.code == 0
    assert done.data["value"] == pytest.approx(value, abs=1e-8)
    assert done.data["error"] < 1e-9
    keys = {"model", "state", "line", "vary", "value", "error", "state_exists", "all", "status", "order_parameters"}
    assert keys <= set(done.data)
    assert done.data["all"] == sorted(done.data["all"])
    assert done.data["value"] == done.data["all"][-1]


def test_glass_temperature_is_a_line_of_the_spin_glass(spinodal: Callable) -> None:
    arguments = ("--state", "spin-glass", "--line", "continuous", "--vary", "temperature", "--alpha", 0.25)
    data = spinodal("threshold", "hopfield", *arguments, "--json").data
    assert data["value"] == pytest.approx(1.5, abs=1e-10)


def test_refused_digits_are_told(spinodal: Callable) -> None:
    run = spinodal("threshold", "random-features", "--alpha-d", 0.5, "--nonlinearity", "tanh", "--digits", 30)
    assert "double precision only; ask for 15 digits or fewer." in run.err


def test_digits_are_text_and_the_certificate_comes_on_request(spinodal: Callable) -> None:
    data = spinodal("threshold", "hopfield", "--digits", 30, "--json").data
    assert data["digits"].startswith("0.13790556649493173")
    assert "certificate" not in data
    data = spinodal("threshold", "hopfield", "--certify", "--json").data
    assert data["digits"].startswith("0.137905566494931")
    assert data["certificate"]
    plain = spinodal("threshold", "hopfield", "--certify")
    assert "0.137905566494931" in plain.out


def test_parameters_to_vary_are_spelled_either_way(spinodal: Callable) -> None:
    values = {
        spinodal("threshold", "random-features", "--vary", word, "--alpha", 0.1, "--json").data["value"]
        for word in ("alpha-d", "alpha_d")
    }
    assert len(values) == 1


def test_a_line_that_does_not_exist_exits_3(spinodal: Callable) -> None:
    done = spinodal("threshold", "hopfield", "--temperature", 2, "--json")
    assert done.code == 3
    assert (done.data["value"], done.data["status"]) == (None, "NO_SOLUTION")


def test_tables_show_the_number_and_its_error(spinodal: Callable) -> None:
    out = spinodal("threshold", "hopfield").out
    for part in ("0.137905566495", "error", "below", "CONVERGED", "hopfield, example"):
        assert part in out
    assert max(map(len, out.splitlines())) <= 80


def test_python_and_the_command_line_agree(spinodal: Callable) -> None:
    found = sp.threshold(sp.RandomFeatures(alpha_d=0.05), state="feature")
    data = spinodal("threshold", "random-features", "--alpha-d", 0.05, "--state", "feature", "--json").data
    assert data["value"] == found.value


def test_simulate_reports_realised_sizes_and_repeats(spinodal: Callable, tmp_path: Path) -> None:
    arguments = ("simulate", "random-features", "--N", 300, "--alpha", 0.051, "--alpha-d", 0.5, "--samples", 4)
    record = tmp_path / "record.json"
    done = spinodal(*arguments, "--seed", 3, "--out", record, "--json")
    assert done.code == 0
    assert (done.data["P"], done.data["D"], done.data["seed"]) == (15, 150, 3)
    assert done.data["loads"] == {"alpha": 0.05, "alpha_d": 0.5}
    assert {"m", "overlap", "t", "p_d", "u2", "energy", "retrieved_fraction"} <= set(done.data["measurements"])
    for m in done.data["measurements"].values():
        assert set(m) == {"value", "error", "n"}
    again = spinodal(*arguments, "--seed", 3, "--json").data
    assert again["measurements"] == done.data["measurements"]
    assert sp.load(record)["m"].value == done.data["measurements"]["m"]["value"]
    other = spinodal(*arguments, "--seed", 4, "--json").data
    assert other["measurements"] != done.data["measurements"]


def test_an_unseen_sparse_start_tells_how_many_were_stored(spinodal: Callable) -> None:
    arguments = ("--N", 1000, "--alpha", 0.2, "--alpha-d", 0.01, "--start", "unseen", "--coefficients", "sparse")
    data = spinodal("simulate", "random-features", *arguments, "--samples", 2, "--json").data
    assert data["L"] == data["L_train"] == 3
    assert 0.0 < data["redrawn_fraction"] < 1.0


def test_validate_agrees_at_a_retrieval_point(spinodal: Callable) -> None:
    arguments = ("hopfield", "--alpha", 0.05, "--state", "example", "--N", "400,800", "--samples", 8)
    done = spinodal("validate", *arguments, "--json")
    assert (done.code, done.data["verdict"], done.data["rs_stable"]) == (0, "agrees", False)
    assert [size["P"] for size in done.data["sizes"]] == [20, 40]
    assert "Verdict: agrees" in spinodal("validate", *arguments).out


def test_validate_takes_theory_at_the_realised_loads() -> None:
    found = sp.validate(sp.Hopfield(alpha=0.051), N=(190, 210), samples=4)
    assert [s.parameters["alpha"] for s in found.solutions] == [10 / 190, 11 / 210]


def test_the_energy_identity_gives_u2() -> None:
    from spinodal.validation import observables

    model = sp.RandomFeatures(alpha=1.0, alpha_d=0.05)
    solution = sp.solve(model, "feature")
    kappa_1_squared = 2.0 / np.pi
    u2 = solution.order_parameters["X"] / kappa_1_squared
    assert observables(model, solution, 1.0)["u2"] == pytest.approx(u2, rel=1e-10)
    model = sp.RandomFeatures(alpha=0.08, alpha_d=0.5)
    solution = sp.solve(model, "example")
    u2 = solution.order_parameters["X"] / kappa_1_squared
    assert observables(model, solution, 0.08)["u2"] == pytest.approx(u2, rel=1e-10)


def test_disagreement_exits_4_with_one_json_object(spinodal: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import spinodal.validation as validation

    true = validation.observables

    def wrong(model: object, solution: sp.Solution, alpha: float) -> dict[str, float | None]:
        return {**true(model, solution, alpha), "m": 0.8}

    monkeypatch.setattr(validation, "observables", wrong)
    done = spinodal("validate", "hopfield", "--alpha", 0.05, "--N", "400,800", "--samples", 8, "--json")
    assert (done.code, done.data["verdict"]) == (4, "disagrees")


def test_validate_beyond_the_spinodal_does_not_simulate(spinodal: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import numerics.simulate

    monkeypatch.setattr(numerics.simulate, "simulate", lambda *a, **k: pytest.fail("simulated"))
    assert spinodal("validate", "hopfield", "--alpha", 0.2, "--json").code == 3


def test_diagram_writes_all_forms_of_one_result(spinodal: Callable, tmp_path: Path) -> None:
    lines, figure = tmp_path / "lines.nc", tmp_path / "lines.pdf"
    done = spinodal("diagram", "random-features", "--points", 5, "--out", lines, "--figure", figure, "--json")
    assert done.code == 0
    assert {p.name for p in tmp_path.iterdir()} == {"lines.nc", "lines.csv", "lines.pdf"}
    assert figure.read_bytes().startswith(b"%PDF")
    keys = ["state", "line", "L", "vary", "along", "along_values", "values", "errors", "status"]
    assert [list(line) for line in done.data["lines"]] == [keys] * 8
    found = sp.load(lines)
    for ours, theirs in zip(done.data["lines"], found.lines, strict=True):
        known = np.isfinite(theirs.values)
        assert [v is not None for v in ours["values"]] == list(known)
        assert [v for v in ours["values"] if v is not None] == list(theirs.values[known])
    kinds = {(line["state"], line["line"], line["L"]) for line in done.data["lines"]}
    assert ("mixture", "spinodal", 9) in kinds
    assert ("feature", "thermodynamic", None) in kinds
    storage = found.lines[0]
    assert (storage.vary, storage.along, storage.along_values[0]) == ("alpha", "alpha_d", 1.0)
    assert storage.values[0] == pytest.approx(0.1048823134, abs=1e-8)


def test_diagram_of_the_hopfield_model_spans_load_and_temperature(spinodal: Callable) -> None:
    done = spinodal("diagram", "hopfield", "--points", 4, "--json")
    assert done.code == 0
    found = {(line["state"], line["line"]): line for line in done.data["lines"] if line["L"] is None}
    spinodal_line = found["example", "spinodal"]
    assert (spinodal_line["along"], spinodal_line["along_values"][0]) == ("temperature", 0.0)
    assert spinodal_line["values"][0] == pytest.approx(ALPHA_C, abs=1e-10)
    glass = found["spin-glass", "continuous"]
    for alpha, temperature in zip(glass["along_values"], glass["values"], strict=True):
        assert temperature == pytest.approx(1.0 + np.sqrt(alpha), abs=1e-9)
    assert ("example", "at") in found


def test_cite_prints_bibtex_unwrapped(spinodal: Callable) -> None:
    out = spinodal("cite", "hopfield").out
    assert out.startswith("@article{")
    assert "title = {Statistical mechanics of neural networks near saturation}" in out


def test_env_reports_versions_and_extras(spinodal: Callable) -> None:
    data = spinodal("env", "--json").data
    assert data["spinodal"] == sp.__version__
    assert data["packages"]["numpy"] == np.__version__
    assert set(data["extras"]) == {"certify", "gpu", "neural", "cluster", "data"}
    assert data["cpus"] >= 1


def test_figures_state_claim_cost_and_tolerance(spinodal: Callable) -> None:
    data = spinodal("figures", "--json").data
    assert {entry["paper"] for entry in data["figures"]} == {
        "negri2023",
        "kalaj2024",
        "nicoletti2025",
        "vector-thresholds",
        "bonnaire2025",
        "pham2025",
    }
    for entry in data["figures"]:
        assert entry["claim"]
        assert entry["cost"]
        assert entry["tolerance"]


def test_the_installed_command_answers_like_the_module() -> None:
    command = Path(sys.executable).with_name("spinodal")
    assert command.is_file(), "install the project: pip install -e ."
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"spinodal {sp.__version__}\n")
    done = subprocess.run([command, "cite", "hopfield", "--json"], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["model"] == "hopfield"


def test_nothing_typed_shows_help_and_is_no_error(spinodal: Callable) -> None:
    done = spinodal()
    assert done.code == 0
    for command in (
        "models",
        "solve",
        "threshold",
        "diagram",
        "simulate",
        "validate",
        "figure",
        "figures",
        "cite",
        "env",
    ):
        assert command in done.out


def test_a_closed_pipe_is_quiet() -> None:
    code = "import sys; from spinodal.cli import main; sys.exit(main(['models']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert b"Traceback" not in err


def test_help_lists_commands_in_the_order_of_use(spinodal: Callable) -> None:
    words = spinodal("--help").out.replace("│", " ").split()
    commands = ["models", "solve", "threshold", "diagram", "simulate", "validate", "basins", "sweep", "status"]
    commands += ["figure", "figures", "bench", "cite", "env"]
    after = words[words.index("Commands") :]
    places = [after.index(command) for command in commands]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", ["simulate", "basins", "validate"])
def test_help_offers_the_states_that_a_model_has(spinodal: Callable, verb: str) -> None:
    offered = {name: " ".join(spinodal(verb, name, "--help").out.split()) for name in ("hopfield", "random-features")}
    assert "example, feature, mixture" in offered["random-features"]
    assert "example, mixture" in offered["hopfield"]


@pytest.mark.parametrize(
    ("verb", "place"),
    [
        ("simulate", "numerics.simulate.simulate"),
        ("basins", "numerics.basins.basins"),
        ("validate", "spinodal.validation.validate"),
    ],
)
def test_an_interrupt_is_told(spinodal: Callable, monkeypatch: pytest.MonkeyPatch, verb: str, place: str) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)
    monkeypatch.setattr(f"spinodal.{verb}", interrupted, raising=False)
    done = spinodal(verb, "hopfield", "--alpha", "0.1", "--N", "100")
    assert (done.code, done.out) == (130, "")
    assert done.err == "Interrupted; nothing half-written is left, and finished records are kept.\n"


def test_an_interrupt_while_a_model_is_read_is_told(spinodal: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(spec: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spinodal.commands.verbs.declaration", interrupted)
    done = spinodal("solve", "hopfield", "--alpha", "0.1")
    assert (done.code, done.out) == (130, "")
    assert done.err.startswith("Interrupted;")
