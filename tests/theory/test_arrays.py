"""Arrays from users, given or in files: what is read, and what is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from theory.arrays import read_array, real_numbers
from theory.errors import InvalidInput


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", b"1 2\n", "no array of numbers was saved in it"),
        ("a.NPY", b"1 2\n", "no array of numbers was saved in it"),
        ("a.npz", b"PK", "save one of them as .npy"),
        ("a.txt", b"\x89PNG\xff", "it is not text"),
        ("a.txt", b"1 2\n3\n", "lines have different numbers of columns"),
        ("a.txt", b"1 b\n", "'b'"),
        ("a.txt", b"# nothing\n", "holds no real numbers"),
        ("a.txt", b"1 nan\n", "NaN"),
    ],
)
def test_files_without_numbers_are_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        read_array(file, "the table")
    assert words in str(caught.value)
    assert "unsafely" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_not_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        read_array(tmp_path, "the table")


@pytest.mark.parametrize("wrong", ["a", [], None, [[1.0]], [1, [2]], [1j], [True]])
def test_what_is_no_list_of_numbers_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidInput, match="tau"):
        real_numbers("tau", wrong, "training times")  # type: ignore[arg-type]


def test_integers_and_single_numbers_are_lists_of_numbers() -> None:
    assert real_numbers("tau", 3, "times").tolist() == [3.0]
    assert real_numbers("tau", np.arange(3), "times").dtype == np.float64
