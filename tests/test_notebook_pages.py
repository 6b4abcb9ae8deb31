"""Pages of the documentation that are notebooks: their cells run, and what they leave is kept and shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUNNER = ROOT / "docs" / "_ext" / "cell_runner.py"
PAGE = """---
kernelspec: python3
---

# Words, {math}`x^2` and {doc}`sweeps`

```{math}
x^2
```

```{notebook-file}
```

```{code-cell}
a = 2
print("printed")
a + 1
```

```{code-cell}
:alt: a line
from matplotlib.figure import Figure
figure = Figure()
figure.subplots().plot([0, a])
figure
```

```{code-cell} python
a + 1;
```
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.md").write_text(PAGE, encoding="utf-8")
    done = subprocess.run([sys.executable, str(RUNNER), "page.md"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_cells_share_their_names_and_show_their_last_value(ran):
    folder, outputs = ran
    assert [output["text"] for output in outputs] == ["printed\n3", "", ""]
    assert [output["figures"] for output in outputs] == [[], ["page-2-0.png"], []]
    assert (folder / "page-2-0.png").read_bytes().startswith(b"\x89PNG")


def test_the_notebook_has_the_words_the_code_and_the_outputs(ran):
    made = json.loads((ran[0] / "page.ipynb").read_text(encoding="utf-8"))
    words, *code = made["cells"]
    assert (made["nbformat"], words["cell_type"]) == (4, "markdown")
    assert words["source"] == "# Words, $x^2$ and sweeps\n\n$$\nx^2\n$$"
    assert [cell["source"].splitlines()[0] for cell in code] == [
        "a = 2",
        "from matplotlib.figure import Figure",
        "a + 1;",
    ]
    shown = [output["data"] for cell in code for output in cell["outputs"]]
    assert shown[0] == {"text/plain": "printed\n3"} and list(shown[1]) == ["image/png"] and len(shown) == 2


def test_a_cell_that_fails_ends_the_page(tmp_path):
    (tmp_path / "page.md").write_text("```{code-cell}\n1 / 0\n```\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(RUNNER), "page.md"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr and not done.stdout
