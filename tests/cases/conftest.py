"""A case file in a folder of its own."""

from pathlib import Path

import pytest
from case_texts import BASE_1D


@pytest.fixture
def write(tmp_path):
    def write(text: str = BASE_1D, name: str = "a.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write
