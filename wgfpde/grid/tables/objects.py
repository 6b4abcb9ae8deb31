"""Tables from objects of pandas and xarray, known by what they offer; neither library is imported.

xarray.DataArray     dimensions x and y by their names, others in the order (y, x), unless as many places along both
                     leave it open; coordinates are the places
xarray.Dataset       of one variable, or of the one that `column` names
pandas.Series        the index is x, or its levels are x and y
pandas.DataFrame     columns as those of a text file: places and values, in whatever order the rows come
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import CaseError
from ..axis import AXIS_NAMES, Array
from ..text_columns import Columns
from .table import Table, table_in_text, table_of, table_of_rows


def holds_table(thing: object) -> bool:
    """Whether it is an object of pandas or xarray."""
    return not callable(thing) and (hasattr(thing, "data_vars") or hasattr(thing, "coords") or hasattr(thing, "iloc"))


def table_of_object(thing: Any, column: str | None = None, dim: int | None = None) -> Table:
    """The table that it holds.

    column : of a Dataset or a DataFrame, the values.   dim : of a DataFrame, how many columns are places; by default
    those headed x and y, else all but one.
    Raises CaseError where it holds none.
    """
    if hasattr(thing, "data_vars"):
        names = [str(name) for name in thing.data_vars]
        if column is None and len(names) != 1:
            raise CaseError(f"the Dataset has {len(names)} variables, {', '.join(names)}; say which by column = …")
        if column is not None and column not in names:
            raise CaseError(f'the Dataset has no variable "{column}"; found {", ".join(names)}.')
        thing = thing[column or names[0]]
    if hasattr(thing, "coords"):
        return _of_data_array(thing)
    if hasattr(thing, "columns"):
        names = [str(name) for name in thing.columns]
        if dim is None:
            headed = sum(name in [n.lower() for n in names] for name in AXIS_NAMES)
            dim = headed or (len(names) - 1 if column is None else 1)
        return table_in_text(Columns(_numbers(thing, "DataFrame"), header=names), dim, "the DataFrame", column)
    if hasattr(thing, "iloc"):
        levels = getattr(thing.index, "nlevels", 1)
        if levels not in (1, 2):
            raise CaseError(f"the index of a Series is x, or x and y; found {levels} levels.")
        places = [np.asarray(thing.index.get_level_values(k), dtype=float) for k in range(levels)]
        names = [str(name) if name is not None else AXIS_NAMES[k] for k, name in enumerate(thing.index.names)]
        if sorted(names) == list(AXIS_NAMES) and names != list(AXIS_NAMES):
            places, names = places[::-1], names[::-1]
        return table_of_rows(places, _numbers(thing, "Series"), "the Series", names, (None, None))
    raise CaseError(f"expected an object of pandas or xarray, found {type(thing).__name__}.")


def _of_data_array(array: Any) -> Table:
    dims = [str(name) for name in array.dims]
    if len(dims) not in (1, 2):
        raise CaseError(f"a DataArray with one or two dimensions is a table; found {len(dims)}: {', '.join(dims)}.")
    if missing := [name for name in dims if name not in array.coords]:
        raise CaseError(f"the DataArray has no coordinate {missing[0]}, which says where its values lie; give it one.")
    values, names = _numbers(array, "DataArray"), dims[::-1]
    plain = [name.lower() for name in names]
    if sorted(plain) == list(AXIS_NAMES):
        if plain != list(AXIS_NAMES):
            values, names = values.T, names[::-1]
    elif len(dims) == 2 and values.shape[0] == values.shape[1]:
        first, second = dims
        raise CaseError(
            f"the DataArray has {len(values)} places along {first} and as many along {second}, and no name says which "
            f'is x: turned round it would fit too. Name them, as by array.rename({first}="y", {second}="x").'
        )
    places = [np.asarray(array.coords[name].values, dtype=float) for name in names]
    return table_of(places, values, "the DataArray", names)


def _numbers(thing: Any, kind: str) -> Array:
    try:
        return np.asarray(thing.values, dtype=float)
    except (TypeError, ValueError) as error:
        raise CaseError(f"the {kind} must hold numbers: {error}.") from None
