"""Seconds and bytes in words; too much memory is refused in one sentence."""

import os

import pytest

from wgfpde.base.amounts import duration, machine_memory, memory_lacking, size_text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "0.5 s"), (125, "2 min 05 s"), (7260, "2 h 01 min"), (float("inf"), "? s")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(512, "0.5 KiB"), (1010 * 1024, "0.986 MiB"), (1.5 * 2**20, "1.5 MiB"), (3 * 2**30, "3 GiB"), (2**43, "8 TiB")],
)
def test_bytes(count, text):
    assert size_text(count) == text


def test_memory_that_is_lacking(monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**21, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert machine_memory() == 2**33
    assert memory_lacking(2**33) == ""
    assert memory_lacking(2**40) == "about 1 TiB of memory and this machine has 8 GiB"


def test_a_machine_that_does_not_say_refuses_nothing(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    assert machine_memory() is None and memory_lacking(1e30) == ""
