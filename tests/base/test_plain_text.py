"""Text of others is shown so that a terminal obeys none of it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfpde.base.html import text
from wgfpde.base.plain_text import in_json, joined_lines, one_line, several_lines

FOUL = "\x00\x07\x08\t\n\x0b\x0c\r\x1b\x1c\x7f\x80\x85\x9b\x9d\xad"
FOUL += "\u061c\u200b\u200e\u2028\u2029\u202e\u2066\ufeff\udcff\U000e0041"
HARMFUL = {"Cc", "Zl", "Zp", "Cs"}
JOINERS = "\u200c\u200d"
"""Of Persian, and of emoji: they stay."""
TEXTS = st.text(st.one_of(st.sampled_from(FOUL), st.characters(exclude_categories=())), max_size=30)


@given(TEXTS)
def test_one_line_holds_nothing_harmful(words):
    shown = one_line(words)
    assert len(shown.splitlines()) <= 1 and len(shown.encode()) >= len(words)
    assert not [c for c in shown if unicodedata.category(c) in HARMFUL]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")]
    assert all(unicodedata.category(c) not in HARMFUL or c in "\n\t" for c in several_lines(words))


@given(TEXTS)
def test_json_reads_as_the_same(words):
    data = {words: [words]}
    shown = in_json(json.dumps(data, indent=2, ensure_ascii=False))
    assert json.loads(shown) == data
    assert all(one_line(line) == line for line in shown.split("\n"))


def test_every_foul_character_has_its_number():
    assert one_line(FOUL).count("\\") == len(FOUL)
    assert one_line("a\n\x1b\x9b\u202e\U000e0041") == r"a\n\x1b\x9b\u202e\U000e0041"
    assert several_lines("a\n\tb\r\x1b") == "a\n\tb\\r\\x1b"
    assert one_line(f"ρ∗ä é 漢 🙂 {JOINERS}") == f"ρ∗ä é 漢 🙂 {JOINERS}"
    assert one_line(3.5) == "3.5"


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\u2028", " \n\n\t ", "\x85", "\x0b\x0c"])
def test_a_title_is_one_line(breaks):
    assert joined_lines(f"{breaks}Heat{breaks}status  finished{breaks}") == "Heat status  finished"
    assert joined_lines("two  blanks") == "two  blanks"


def test_a_page_shows_them_too():
    assert text("<\x1b\n\u202e>") == "&lt;\\x1b\n\\u202e&gt;"
