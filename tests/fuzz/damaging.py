"""How whole files are damaged by chance: bytes, objects of HDF5 files, states of checkpoints, values of JSON."""

import hashlib
import json

import h5py
import numpy as np

ODD_VALUES = ("", np.bytes_(b"\xff\xfe"), 3, 1e308, np.nan, [1, 2], "a" * 60000, "\x1b[31m", "../x", np.zeros((2, 2)))
ODD_LINKS = (h5py.SoftLink("/t"), h5py.ExternalLink("/dev/zero", "/t"), h5py.SoftLink("/no"))
ODD_ARRAYS = (
    np.zeros(0), np.zeros((3, 2)), 3.0, np.arange(5, dtype="i2"), np.zeros(3, complex), "text", np.full(9, np.nan),
)  # fmt: skip


def flipped(raw, random):
    out = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        k = random.randrange(len(out))
        out[k] = random.choice((0, 255, random.randrange(256), out[k] ^ (1 << random.randrange(8))))
    return bytes(out[: random.randrange(len(out))] if random.random() < 0.1 else out)


def exchange_part(path, random):
    """One object of an HDF5 file for another."""
    with h5py.File(path, "r+") as file:
        names = []
        file.visit(names.append)
        name = random.choice(names)
        item, act = file[name], random.choice(("attribute", "link", "array", "value", "text"))
        if act == "attribute" and len(item.attrs):
            item.attrs[random.choice(sorted(item.attrs))] = random.choice(ODD_VALUES)
        elif act == "link":
            del file[name]
            file[name] = random.choice(ODD_LINKS)
        elif isinstance(item, h5py.Dataset) and act == "value" and item.dtype.kind == "f" and item.size:
            values = item[...]
            with np.errstate(over="ignore"):
                values.flat[random.randrange(item.size)] = random.choice((0, -1, 1e308, np.nan, np.inf))
            item[...] = values
        elif isinstance(item, h5py.Dataset):
            about = {key: value for key, value in item.attrs.items() if "_LIST" not in key}
            text = isinstance(item[()], bytes) and act == "text"
            data = flipped(item[()], random).decode("latin-1").replace("\0", "") if text else random.choice(ODD_ARRAYS)
            del file[name]
            file[name] = data
            file[name].attrs.update(about)


def damage(path, random):
    path.write_bytes(flipped(path.read_bytes(), random))


def exchange_state(path, random):
    """A checkpoint that is whole, with something else in its state or among its arrays."""
    with np.load(path) as file:
        arrays = dict(file)
    state = json.loads(str(arrays["state"]))
    name = random.choice(sorted(arrays))
    if name == "state":
        key = random.choice(sorted(state))
        state[key] = random.choice((None, "x", -1, 1e308, [], {}, {"a": 1}, 10**30, float("nan"), True))
        arrays["state"] = np.array(json.dumps(state))
    else:
        arrays[name] = random.choice(ODD_ARRAYS)
        if isinstance(state.get("arrays"), dict) and random.random() < 0.7:  # by one who knows the checksum
            values = np.asarray(arrays[name])
            about = f"{values.dtype.str} {values.shape} ".encode()
            state["arrays"][name] = hashlib.blake2b(about + values.tobytes(), digest_size=16).hexdigest()
            arrays["state"] = np.array(json.dumps(state))
    np.savez(path, **arrays)


ODD_JSON = (
    None, "x", "", -1, 1e308, [], {}, {"a": 1}, 10**30, float("nan"), True, "\x00", "\ud800", "\x1b[31m", "../x",
    "a" * 60000, [1, [2]], "1979-05-27", "/dev/zero",
)  # fmt: skip


def exchange_value(data, random):
    """JSON with one value or key of it exchanged for another, at any depth."""
    if not isinstance(data, dict | list) or not data or random.random() < 0.15:
        return random.choice(ODD_JSON)
    place = random.choice(sorted(data) if isinstance(data, dict) else range(len(data)))
    out = data.copy()
    act = random.random()
    if act < 0.1:
        del out[place]
    elif act < 0.15 and isinstance(data, dict):
        out[random.choice(("x", "", "\x00", "../x"))] = out.pop(place)
    else:
        out[place] = exchange_value(out[place], random)
    return out
