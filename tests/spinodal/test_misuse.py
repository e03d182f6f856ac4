"""Bad input: one sentence on stderr, nothing on stdout, exit code 2, no traceback, no half-written file."""

from __future__ import annotations

import contextlib
import io
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinodal.cli import main

THRESHOLD = ("threshold", "random-features", "--state", "feature")

MISUSES = [
    # parameters out of range: value, range and remedy are named
    (("solve", "hopfield", "--alpha", "-0.1"), "alpha = -0.1"),
    (("solve", "hopfield", "--alpha", "0"), "0 < alpha"),
    (("solve", "hopfield", "--alpha", "nan"), "alpha = nan"),
    (("solve", "hopfield", "--alpha", "inf"), "alpha = inf"),
    (("solve", "hopfield", "--alpha", "0.1", "--temperature", "-1"), "temperature = -1"),
    (("simulate", "random-features", "--N", "100", "--alpha", "0.1", "--alpha-d", "-2"), "alpha_d = -2"),
    # parameters that are missing, foreign, or both fixed and varied
    (("solve", "hopfield"), "alpha is missing"),
    (("solve", "random-features", "--alpha", "0.1"), "alpha_d is missing"),
    ((*THRESHOLD,), "alpha_d is missing"),
    (("solve", "hopfield", "--alpha", "0.1", "--alpha-d", "1"), "has no option '--alpha-d'"),
    (("threshold", "hopfield", "--alpha-d", "1"), "has no option '--alpha-d'"),
    (("threshold", "hopfield", "--vary", "alpha", "--alpha", "0.1"), "both fixed"),
    (("threshold", "hopfield", "--alpha", "0.1"), "both fixed"),
    (("threshold", "hopfield", "--vary", "alpha_d"), "'alpha_d' is not a parameter of hopfield"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--coefficients", "sparse"), "--coefficients"),
    # unknown words get the nearest match
    (("solve", "hopfeild", "--alpha", "0.1"), "did you mean 'hopfield'"),
    (("threshold", "random-feature", "--alpha-d", "1"), "did you mean 'random-features'"),
    (("solve", "hopfield", "--state", "exmple", "--alpha", "0.1"), "did you mean 'example'"),
    (("solve", "hopfield", "--state", "feature", "--alpha", "0.1"), "feature"),
    (("threshold", "hopfield", "--line", "spinodle"), "did you mean 'spinodal'"),
    (("solve", "random-features", "--nonlinearity", "sgn", "--alpha", "1", "--alpha-d", "1"), "'sgn' is unknown"),
    (("slove", "hopfield"), "did you mean 'solve'"),
    (("solve", "score"), "give it to one of 'spinodal spectrum score', "),
    (("spectrum", "rem"), "give it to one of 'spinodal threshold rem', 'spinodal collapse'"),
    (("cite", "nonsuch"), "vector-random-features, score, "),
    (("nonsuch",), "no such command 'nonsuch'; choose one of models, solve, threshold,"),
    (("solve", "hopfield", "--foo", "1"), "has no option '--foo'; it takes --alpha, --temperature"),
    (("solve", "hopfield", "--temp", "1"), "did you mean '--temperature'"),
    (("basins", "hopfield", "--alpha", "0.1", "--temperature", "0.5"), "those of the dynamics at T = 0"),
    (("bench", "nothing"), "'nothing' is unknown; choose one of alignment, attractors, cold_start, "),
    (("solve", "hopfield", "--alhpa", "0.1"), "did you mean '--alpha'"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--start", "exampel"), "did you mean 'example'"),
    # mixtures
    (("solve", "hopfield", "--state", "mixture", "--L", "4", "--alpha", "0.01"), "L = 4"),
    (("solve", "hopfield", "--state", "example", "--L", "3", "--alpha", "0.01"), "L = 3"),
    (("solve", "hopfield", "--state", "mixture", "--L", "3.5", "--alpha", "0.01"), "--L"),
    # simulation
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.001"), "P = round(alpha N) = 0"),
    (("simulate", "random-features", "--N", "100", "--alpha", "0.1", "--alpha-d", "0.001"), "D = round(alpha_d N) = 0"),
    (("simulate", "hopfield", "--N", "0", "--alpha", "0.1"), "N = 0"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--samples", "0"), "samples = 0"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--temperature", "0.5", "--order", "greedy"), "order ="),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--sweeps", "100"), "sweeps = 100 belongs"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--order", "gredy"), "did you mean 'greedy'"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--engine", "overlap-bit"), "mean 'overlap-bits'"),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--overlap", "2"), "overlap = 2"),
    (
        ("simulate", "random-features", "--N", "100", "--alpha", "0.1", "--alpha-d", "1", "--L-train", "4"),
        "L_train = 4",
    ),
    (("simulate", "hopfield", "--N", "100", "--alpha", "0.1", "--temperature", "1e-320"), "temperature = 1e-320"),
    (("basins", "hopfield", "--alpha", "0.1", "--overlaps", "0.5,0.5"), "overlaps holds 0.5 twice"),
    (("validate", "hopfield", "--alpha", "0.1", "--N", "1000,x"), "N = '1000,x'"),
    (("validate", "hopfield", "--alpha", "0.1", "--state", "spin-glass"), "spin-glass"),
    # the command line itself
    (("solve",), "needs a model"),
    (("solve", "--state", "example", "hopfield"), "options go after the model"),
    (("--json", "models"), "options go after the command"),
    (("solve", "hopfield", "--alpha"), "--alpha"),
    (("solve", "hopfield", "--alpha", "a"), "--alpha = 'a'"),
    (("simulate", "hopfield", "--N", "1e3", "--alpha", "0.1"), "--N = '1e3'"),
    (("solve", "hopfield", "0.1"), "0.1"),
    (("models", "extra"), "extra"),
    (("simulate", "hopfield", "--alpha", "0.1"), "'--N'"),
    (("solve", "./nowhere.py:Model", "--alpha", "1"), "does not exist"),
    (("figure", "negri2032"), "did you mean 'negri2023'"),
    (("figure", "negri2023", "--fig", "nothing-like-it"), "nothing-like-it"),
    (("figure", "negri2023", "--out", f"{os.devnull}/x"), os.devnull),
    (("diagram", "hopfield", "--alpha", "0.1"), "'--alpha'"),
    (("diagram", "hopfield", "--points", "1"), "points = 1"),
    (("diagram", "random-features", "--alpha-max", "nan"), "alpha_max = nan"),
    (("diagram", "random-features", "--temperature", "-1"), "temperature = -1"),
    (("diagram", "random-features", "--out", "lines.txt"), ".nc"),
]


@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
@pytest.mark.parametrize(("arguments", "part"), MISUSES, ids=[" ".join(a) for a, _ in MISUSES])
def test_misuse_is_one_sentence(spinodal: Callable, arguments: tuple[str, ...], part: str, as_json: bool) -> None:
    done = spinodal(*arguments, *(["--json"] if as_json else []))
    assert (done.code, done.out) == (2, "")
    assert part in done.err
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err
    assert done.err.rstrip().endswith((".", "?"))


@pytest.mark.parametrize("option", ["--out", "--figure"])
def test_unwritable_output_is_told_before_the_work(
    spinodal: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: str
) -> None:
    import theory.lines

    def never(*_: object, **__: object) -> None:
        raise AssertionError("computed before the output was checked")

    monkeypatch.setattr(theory.lines, "phase_line", never)
    ending = {"--out": ".nc", "--figure": ".pdf"}[option]
    taken = tmp_path / f"folder{ending}"
    taken.mkdir()
    for path in (tmp_path / "missing" / f"x{ending}", taken, Path(os.devnull) / f"x{ending}", tmp_path / "x.bad"):
        done = spinodal("diagram", "hopfield", option, path)
        assert (done.code, done.out) == (2, "")
        assert str(path) in done.err
        assert len(done.err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == [taken.name]


def test_a_failure_leaves_the_old_file_and_no_half_written_one(
    spinodal: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import theory.lines

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(theory.lines, "phase_line", fails)
    target = tmp_path / "lines.nc"
    target.write_text("precious")
    done = spinodal("diagram", "hopfield", "--out", target, "--figure", tmp_path / "lines.pdf")
    assert (done.code, done.out) == (1, "")
    assert [p.name for p in tmp_path.iterdir()] == ["lines.nc"]
    assert target.read_text() == "precious"


def test_a_fault_is_one_line_and_the_traceback_is_on_request(
    spinodal: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    import theory.states

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(theory.states, "solve", fails)
    import spinodal as face

    monkeypatch.setattr(face, "solve", fails, raising=False)
    done = spinodal("solve", "hopfield", "--alpha", "0.1")
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1)
    assert "RuntimeError: planted" in done.err
    assert "spinodal env" in done.err
    monkeypatch.setenv("SPINODAL_DEBUG", "1")
    assert "Traceback" in spinodal("solve", "hopfield", "--alpha", "0.1").err


def test_certify_without_its_package_gives_the_line_that_installs_it() -> None:
    code = (
        "import sys; sys.modules['flint'] = None\n"
        "from spinodal.cli import main\n"
        "sys.exit(main(['threshold', 'hopfield', '--certify', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install "spinodal[certify]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


NUMBERS = st.one_of(
    st.floats(width=32),
    st.sampled_from(["", " ", "1e999", "-0", "1_0", "0x1", "½", "nan", "--", "é\n", "1" * 400]),
    st.integers(-(10**6), 10**6),
)


@given(
    model=st.sampled_from(["hopfield", "random-features"]),
    values=st.dictionaries(
        st.sampled_from(["alpha", "alpha-d", "temperature", "L", "state", "nonlinearity"]), NUMBERS, min_size=1
    ),
)
def test_no_value_gives_a_traceback(model: str, values: dict[str, object]) -> None:
    """Whatever is typed for the parameters: a known exit code, and stdout only with an answer."""
    arguments = ["solve", model, "--json"]
    for name, value in values.items():
        # Points that would be solved are the business of other tests; here one value is always out of range.
        arguments += [f"--{name}", str(value)]
    arguments += ["--temperature", "-1"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    assert code == 2
    assert out.getvalue() == ""
    assert len(err.getvalue().splitlines()) == 1
    assert "fault of spinodal" not in err.getvalue()


def test_a_parameter_range_is_closed_where_it_says_so(spinodal: Callable) -> None:
    assert spinodal("solve", "hopfield", "--alpha", math.ulp(0.0), "--temperature", "-0.0001").code == 2
