"""`python -m spinodal` is the command `spinodal`."""

import sys

from spinodal.cli import main

sys.exit(main())
