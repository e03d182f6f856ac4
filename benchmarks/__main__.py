"""Run every benchmark and append its rows to the tables in benchmarks/results: ``python -m benchmarks``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """One process per benchmark, single-threaded BLAS, in alphabetical order."""

    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(f"== {script.stem}", flush=True)
        subprocess.run([sys.executable, str(script), "--write"], check=True, env=environment)


if __name__ == "__main__":
    main()
