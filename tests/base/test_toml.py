"""Tables with dotted keys, there and back; plain values; values in messages."""

import tomllib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wgfpde.base.toml import flat, nested, plain, show, to_toml

KEYS = st.text("abc", min_size=1, max_size=3)
TABLES = st.recursive(
    st.dictionaries(KEYS, st.integers() | st.text(max_size=5), min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | st.booleans(), min_size=1, max_size=3),
    max_leaves=8,
)


def test_dotted_keys():
    assert nested({"a.b.c": 1, "a.d": 2, "e": 3}) == {"a": {"b": {"c": 1}, "d": 2}, "e": 3}
    assert dict(flat({"a": {"b": {"c": 1}, "d": 2}, "e": 3})) == {"a.b.c": 1, "a.d": 2, "e": 3}


@given(TABLES)
def test_there_and_back(tables):
    assert nested(dict(flat(tables))) == tables
    assert tomllib.loads(to_toml(tables)) == tables


def test_plain_values_of_what_scripts_hold():
    found = plain({"a": (np.float64(1.5), 2), "b": np.arange(3), "c": {"d": [np.int64(4)]}})
    assert found == {"a": [1.5, 2], "b": [0, 1, 2], "c": {"d": [4]}}
    assert type(found["a"][0]) is float and type(found["c"]["d"][0]) is int


def test_long_values_are_short_in_messages():
    assert show(list(range(100))) == "a list of 100 entries"
    assert len(show("x" * 1000)) <= 80
