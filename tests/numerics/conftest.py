"""Plans that tests sweep, and how they look at what a sweep did."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

PLAN = """
model = "random-features"
N = [60, 100]
samples = 5
samples_per_task = 2
[parameters]
alpha_d = 0.5
[grid]
alpha = [0.05, 0.1, 0.2]
start = ["example", "feature"]
"""

# A model each of whose samples takes a moment, so that a kill meets running tasks.
SLOW = """
import time
from dataclasses import dataclass
from theory.model import register
from theory.models.hopfield import Hopfield

@register
@dataclass(frozen=True)
class Slow(Hopfield):
    name = "slow-of-the-tests"
    def pattern_law(self, **options):
        time.sleep(0.05)
        return super().pattern_law(**options)
"""
SLOW_PLAN = """
model = "./slow.py:Slow"
N = [40, 50]
samples = 3
samples_per_task = 1
[grid]
alpha = [0.1, 0.15, 0.2, 0.25]
"""


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path / "plan.toml"


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "slow.toml").write_text(SLOW_PLAN)
    return tmp_path / "slow.toml"


@pytest.fixture
def same():
    """Whether two data sets are identical but for the time they took and the checkout they ran from."""
    import xarray

    from numerics.dataset import VOLATILE

    def compare(one, other):
        timeless = [data.assign_attrs(dict.fromkeys((*VOLATILE, "git"), "")) for data in (one, other)]
        return xarray.Dataset.identical(*timeless)

    return compare


@pytest.fixture
def start():
    """The command, in a process group of its own, which can be killed as a whole."""

    def run(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "spinodal", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return run


@pytest.fixture
def await_records():
    """Wait until the folder of a sweep has so many records."""

    def wait(out, count):
        deadline = time.monotonic() + 60
        while len(list(out.glob("records/[!.]*.json"))) < count:  # a draft is no record yet
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait
