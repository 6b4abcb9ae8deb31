"""Densities from runs, arrays, pictures and points, by the command `w2`; what is refused before it is read."""

import json
import struct
import zlib

import numpy as np
import pytest

from wgfpde.cli import main
from wgfpde.errors import CaseError
from wgfpde.output import density_files
from wgfpde.output.density_files import opened_pair
from wgfpde.transport.pairs import Points

PLANE = ["--set", "grid.shape=[12,8]", "--set", "time.end=0.01", "--quiet"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(capsys, *arguments):
    code = main(["w2", *map(str, arguments), "--json"])
    out = capsys.readouterr()
    return json.loads(out.out) if code == 0 else out.err


def pixel(shape, j, i):
    image = np.zeros(shape, dtype=np.uint8)
    image[j, i] = 200
    return image


def save_png(path, image):
    """Eight bits of grey, without any library."""
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *image.shape[::-1], 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)),
             (b"IEND", b"")]  # fmt: skip
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_arrays_and_pictures(capsys, folder):
    """One pixel moved by (2, 1), from an array to an array and to a picture, whose rows go from above."""
    np.save("a.npy", pixel((6, 8), 1, 1).astype(float))
    np.save("b.npy", pixel((6, 8), 2, 3))
    save_png(folder / "b.png", pixel((6, 8), 3, 3))
    for other in ("b.npy", "b.png"):
        found = asked(capsys, "a.npy", other)
        assert found["w2"] == pytest.approx(np.sqrt(5), rel=2e-3, abs=0)
        assert found["lower"] <= np.sqrt(5) * (1 + 1e-9) and found["upper"] >= np.sqrt(5) * (1 - 1e-9)
        assert asked(capsys, "a.npy", other, "--atoms")["w2"] == pytest.approx(np.sqrt(5), rel=1e-6, abs=0)
    assert main(["w2", "a.npy", "b.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "B    b.png: 8 × 6 cells" and "(between 2.2" in lines[2]


def test_beside_a_run(capsys, folder):
    """An array takes the box and the mass of the run; points its mass."""
    assert main(["run", "heat_2d", *PLANE, "--set", "initial.mass=2", "--out", "run"]) == 0
    a, b = opened_pair((folder / "run", None, 0), (folder / "run", None, None))
    np.save("again.npy", 5 * np.asarray(a.rho))
    np.savetxt("points.csv", np.random.default_rng(0).uniform(0.0, 1.0, (20, 2)), delimiter=",")
    found = asked(capsys, "run", "again.npy", "--index-a", "0")
    assert found["w2"] <= 1e-6 and found["a"]["index"] == 0 and found["b"] == {"file": "again.npy"}
    far, near = asked(capsys, "points.csv", "run"), asked(capsys, "run", "run", "--index-a", "0")
    assert 0 < near["w2"] < far["lower"] <= far["w2"] <= far["upper"]
    array = opened_pair((folder / "run", None, 0), (folder / "again.npy", None, None))[1]
    assert array.grid == a.grid == b.grid


def test_points_against_points(capsys, folder):
    (folder / "a.csv").write_text("x,y,weight\n0,0,1\n1,0,3\n")
    (folder / "b.csv").write_text("0.5 2\n")
    expected = np.sqrt(4.25)
    assert asked(capsys, "a.csv", "b.csv")["w2"] == pytest.approx(expected, rel=1e-6, abs=0)
    (folder / "c.txt").write_text("1\n2\n3\n")
    (folder / "d.txt").write_text("2\n3\n4\n")
    assert asked(capsys, "c.txt", "d.txt")["w2"] == pytest.approx(1.0, rel=1e-12, abs=0)
    pair = opened_pair((folder / "a.csv", None, None), (folder / "b.csv", None, None))
    assert all(isinstance(side.rho, Points) and side.grid is None for side in pair)


def save_object(path):
    np.save(path, np.array([{}, []], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        (
            "a.npy",
            save_object,
            "cannot be read as a NumPy array of numbers: Array can.t be memory-mapped: Python objects",
        ),
        ("a.npy", lambda path: path.write_bytes(b"PK\x03\x04"), "is not a NumPy .npy file"),
        ("a.npy", lambda path: np.save(path, -np.ones((3, 3))), "finite values ≥ 0"),
        ("a.npy", lambda path: np.save(path, np.zeros((3, 3))), "holds no density: its sum is 0"),
        ("a.npy", lambda path: np.save(path, np.ones((3, 3), dtype=complex)), "real numbers in one or two dimensions"),
        ("a.npy", lambda path: np.save(path, np.ones((2, 2, 2))), r"found float64 of shape \(2, 2, 2\)"),
        ("a.png", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\nnothing"), "cannot be read as a picture"),
        ("a.jpg", lambda path: path.write_text("text"), "cannot be read as a picture"),
        ("a.csv", lambda path: path.write_text("x,y\n"), "no points"),
        ("a.npy", lambda path: None, "does not exist"),
    ],
)
def test_what_is_refused(folder, name, write, says):
    np.save("good.npy", np.ones((3, 3)))
    write(folder / name)
    with pytest.raises(CaseError, match=says):
        opened_pair((folder / name, None, None), (folder / "good.npy", None, None))


@pytest.mark.parametrize("name", ["large.npy", "large.png", "many.csv"])
def test_what_is_too_large_is_not_read(folder, monkeypatch, name):
    """By its header: the files hold next to nothing of what they announce."""
    monkeypatch.setattr(density_files, "MOST_BYTES", 10)
    if name.endswith("npy"):
        np.lib.format.open_memmap(name, "w+", np.float64, (4096, 4096))
    elif name.endswith("png"):
        save_png(folder / name, np.zeros((3000, 3000), dtype=np.uint8))
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])  # would not be read to its end
    else:
        (folder / name).write_text("1 1\n" * 10)
    np.save("good.npy", np.ones((3, 3)))
    with pytest.raises(CaseError, match=r"at most \d+ are"):
        opened_pair((folder / name, None, None), (folder / "good.npy", None, None))


def test_times_are_those_of_runs(folder):
    np.save("a.npy", np.ones((3, 3)))
    with pytest.raises(CaseError, match=r"is one density and has no times"):
        opened_pair((folder / "a.npy", 1.0, None), (folder / "a.npy", None, None))
