"""Figures of published papers, drawn from records: one folder per paper, one module ``fig_*`` per figure.

A figure module has `spec` (the predictions and simulations it needs, declared), `draw` (matplotlib only) and three
sentences: CLAIM, COST and TOLERANCE.  `catalogue.draw` brings the two together: theory is solved anew, simulations come
from the run's own folder, from the records that come with the package, or are run.  A new figure is a new module and a
line in `catalogue`; after a full run, `catalogue.collect` makes its records the ones of the package.
"""
