"""What commands print."""

from __future__ import annotations

import enum
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinodal.commands.answers import Answer, deliver, plain, rounded, table


class Colour(enum.Enum):
    RED = "RED"


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(Colour.RED))
LEAVES |= st.floats().map(np.float64) | st.integers(-(2**62), 2**62).map(np.int64) | st.booleans().map(np.bool_)
LEAVES |= st.lists(st.floats(), max_size=4).map(np.array)
TREES = st.recursive(LEAVES, lambda t: st.lists(t, max_size=3) | st.dictionaries(st.text(), t, max_size=3))


@given(TREES)
def test_any_tree_becomes_strict_json(tree: object) -> None:
    text = json.dumps(plain(tree), allow_nan=False)
    assert json.loads(text) == plain(tree)


def test_known_numbers_are_kept_exactly() -> None:
    x = 0.1 + 0.2
    assert plain({"a": [np.float64(x), np.array([x])], "b": True}) == {"a": [x, [x]], "b": True}


def test_json_is_one_line_on_stdout_and_the_remark_is_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    code = deliver(Answer({"x": float("nan")}, lambda out: out.print("shown"), 3, "Two\nlines."), as_json=True)
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err) == (3, '{"x": null}\n', "Two lines.\n")


def test_tables_off_a_terminal_are_plain_and_80_columns_wide(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = [("m", 0.967417115685), ("a long remark", "word " * 60), ("[red]markup[/red]", None)]
    deliver(Answer({}, lambda out: table(out, "title", ("", ""), rows)), as_json=False)
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "0.967417115685" in out
    assert "[red]markup[/red]" in out


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.993971234, 0.00062, ("0.99397", "0.00062")),
        (13.776123, 0.0224, ("13.776", "0.022")),
        (1.0, 0.0, ("1", "0")),
        (1234.5, 250.0, ("1234", "250")),
        (0.5, float("nan"), ("0.5", "-")),
    ],
)
def test_measurements_show_the_digits_their_error_leaves(value: float, error: float, text: tuple[str, str]) -> None:
    assert rounded(value, error) == text
