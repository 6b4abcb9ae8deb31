"""Many runs of one case: every combination of values of its keys, done by workers, and one labelled dataset of all.

`plan` numbers the runs and knows each by its digest, `one_run` does one, `engines` hold who does them, `outcome` is
what is kept of each and `journal` where, `sweep_folder` says what a folder is a sweep of, `sweep_study` puts them
together, `swept` is what came of it, `dataset` makes sweep.h5 and sweep.csv, `reading` reads it, `live` shows how it
goes.
"""

from .plan import MOST, Plan
from .sweep_folder import Kept, is_sweep
from .sweep_study import goes_on, sweep
from .swept import Swept

__all__ = ["MOST", "Kept", "Plan", "Swept", "goes_on", "is_sweep", "sweep"]
