"""What tells the folder of a sweep from others, without loading what does sweeps.

    DIR/sweep.json    says what is swept; a folder that holds it is one of a sweep
    DIR/sweep.h5      its dataset

Verbs that only look at files ask here, so that they start as quickly as without sweeps.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import StoreError
from ..store.layout import SWEEP_FILE

DATASET_FILE = "sweep.h5"


def is_sweep(folder: Path) -> bool:
    """Whether a folder says that it holds a sweep."""
    return (folder / SWEEP_FILE).is_file()


def dataset_of(folder: Path) -> Path:
    """The dataset of a sweep.   Raises StoreError where there is none yet."""
    file = folder / DATASET_FILE
    if not file.is_file():
        raise StoreError(f"{folder} holds no {DATASET_FILE} yet: no run of the sweep is done, or it is going on.")
    return file
