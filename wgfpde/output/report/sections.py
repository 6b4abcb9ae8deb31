"""The sections of the page about a run, each from its summary; those with nothing to say are empty."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...base.amounts import size_text
from ...base.html import Markup, table, text
from ..promises import measured_text


def question(record: Mapping[str, Any]) -> Markup:
    """What was asked: the equation in words and formulas, with the case's own energy."""
    asked = record["question"]
    words = ": ".join(filter(None, [asked["name"], asked["description"]])) or "A density over time"
    lines = [f"<h1>{text(record['title'])}</h1>", f'<p class="lead">{text(sentence(words))}</p>']
    if asked["formula"]:
        lines.append(f'<p class="formula">∂<sub>t</sub>ρ = {_formula(asked["formula"])}</p>')
    path = asked["path"]
    names = {"U": "U(ρ)", "V": "V", "W": "W", "φ": "features φ"}
    terms = [(f"{names[key]}{', recorded' if path else ''}", formula) for key, formula in asked["energy"].items()]
    terms += [(name, f"{value:g}") for name, value in asked["params"].items()]
    terms += [
        (name, asked[key])
        for name, key in (("start", "initial"), ("end", "target"), ("end cost", "terminal"), ("exact", "exact"))
        if asked[key]
    ]
    terms.append(("grid", "; ".join([record["grid"].replace("-", "−"), *_boundaries(record["axes"])])))
    options = ", ".join(f"{key} = {value}" for key, value in record["solver"].items() if key != "method")
    terms.append(("method", ": ".join(filter(None, [record["method"], options]))))
    if asked["energy"] and not path:
        energy = {"U": "∫U(ρ)", "V": "∫Vρ", "W": "½∬W(x−y)ρ(x)ρ(y)", "φ": "½Σw(∫φρ − b)²"}
        lines.append(f'<p class="formula">E(ρ) = {" + ".join(energy[key] for key in asked["energy"])}</p>')
    terms.append(("reference", asked["reference"]))
    pairs = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in terms if value)
    return Markup("\n".join([*lines, f'<dl class="terms">{pairs}</dl>']))


def _formula(formula: str) -> str:
    """Exponents raised, the t of ∂t lowered."""
    return re.sub(r"∂t\s*", "∂<sub>t</sub>", re.sub(r"\^(\w+)", r"<sup>\1</sup>", text(formula)))


def _boundaries(axes: Sequence[Mapping[str, Any]]) -> list[str]:
    kinds = [f"{axis['boundary']}{', stretched' if axis['stretched'] else ''}" for axis in axes]
    return kinds[:1] if len(set(kinds)) == 1 else [f"{a['name']}: {kind}" for a, kind in zip(axes, kinds, strict=True)]


def verdict(record: Mapping[str, Any]) -> Markup:
    """How the run ended, and whether it kept what it promised."""
    kept = [p["kept"] for p in record["promises"]]
    lines = []
    if not kept:
        lines.append("No snapshot was written: there is nothing to judge.")
    elif all(kept):
        lines.append(f'<b class="good">All {len(kept)} promises kept.</b>')
    else:
        broken = "; ".join(text(p["name"]) for p in record["promises"] if not p["kept"])
        lines.append(f'<b class="bad">{kept.count(False)} of {len(kept)} promises BROKEN: {broken}.</b>')
    if violated := [c["name"] for c in record["certificates"] if c["holds"] is False]:
        lines[0] += f' <b class="bad">Inequalities VIOLATED: {text(", ".join(violated))}.</b>'
    errors = {n.removeprefix("error_"): d["last"] for n, d in record["diagnostics"].items() if n.startswith("error_")}
    if errors:
        lines[0] += " Distance to the exact solution at the end: "
        lines[0] += ", ".join(f"{_norm(name)} {number(value, 3)}" for name, value in errors.items()) + "."
    cut = record["status"] != "finished" or bool(record["verdict"])
    span = f"t = {record['t_first']:g} to {record['t_last']:g}" if record["snapshots"] else "nothing yet"
    span += f" of {record['t_end']:g}" if record["t_end"] is not None and cut else ""
    ended = " with a blow-up" if record["verdict"] == "blow-up" else ""
    state = f"{record['status']}{ended}: {span}, {record['steps']} steps, {record['snapshots']} snapshots"
    seconds = record["wall_seconds"]
    state += f", {seconds:.3g} s" if seconds is not None and math.isfinite(seconds) else ""
    lines += [text(sentence(part)) for part in (state, record["message"], record["advice"]) if part]
    if record["status"] != "finished" or ended:
        lines[1] = f'<span class="bad">{lines[1]}</span>'
    good = kept and all(kept) and not violated and record["status"] == "finished" and not ended
    mark = "verdict" if good else "verdict broken"
    return Markup(f'<div class="{mark}">\n' + "\n".join(f"<p>{line}</p>" for line in lines) + "\n</div>")


def _norm(name: str) -> str:
    return {"l1": "L¹", "l2": "L²", "linf": "L∞"}.get(name, name)


def promises(record: Mapping[str, Any]) -> Markup:
    rows = [
        (
            p["name"],
            p["meaning"],
            measured_text(p, lambda value: number(value, 3)),
            f"{p['sign']} {number(p['bound'], 2)}",
            _kept(p["kept"]),
        )
        for p in record["promises"]
    ]
    head = ("promise", "what it is", "measured", "bound", "kept")
    return Markup(f"<h2>Promises</h2>\n{_wide(table(head, rows, numbers=(2, 3)))}")


def certificates(record: Mapping[str, Any]) -> Markup:
    """The inequalities along the flow, and the balance of its energy."""
    rows = [
        (
            c["name"], c["meaning"], number(c["constant"], 4), c["source"], number(c["slack"], 3),
            f"{number(100 * c['share'], 2)} %", number(c["t"], 4), _held(c),
        )
        for c in record["certificates"]
    ]  # fmt: skip
    found, lines = record["balance"], []
    if found is not None:
        lines.append(
            f"<p>Energy lost and dissipation summed over the steps differ by at most {number(found['defect'], 3)}, at "
            f"t = {number(found['t'], 4)}, where {number(found['lost'], 4)} was lost.</p>"
        )
    if not rows and not lines:
        return Markup("")
    head = ("inequality", "", "λ or K", "from", "smallest slack", "of the larger side", "at t", "holds")
    shown = [_wide(table(head, rows, numbers=(2, 4, 5, 6)))] if rows else []
    return Markup("\n".join(["<h2>Certificates</h2>", *shown, *lines]))


def _held(certificate: Mapping[str, Any]) -> Markup:
    if certificate["holds"] is None:
        return Markup(text(certificate["verdict"]))
    return Markup('<span class="good">yes</span>' if certificate["holds"] else '<span class="bad">VIOLATED</span>')


def _kept(kept: bool) -> Markup:
    return Markup('<span class="good">yes</span>' if kept else '<span class="bad">BROKEN</span>')


def figures(pictures: Sequence[tuple[Markup, str]]) -> Markup:
    """Each picture over its caption, the first one large."""
    shown = [
        f'<figure class="figure">{image}<figcaption class="note">{text(caption)}</figcaption></figure>'
        for image, caption in pictures
    ]
    small = "\n".join(shown[1:])
    return Markup(f'<h2>Energy and convergence</h2>\n{shown[0]}\n<div class="figures">{small}</div>' if shown else "")


def work(record: Mapping[str, Any]) -> Markup:
    """Step sizes, work and residuals."""
    if not record["step_sizes"]:
        return Markup("")
    dt = record["step_sizes"]
    sizes = "dt: " + ", ".join(f"{name} {number(value)}" for name, value in dt.items())
    if dt["max"] - dt["min"] <= 1e-9 * dt["max"]:
        sizes = f"dt = {number(dt['max'])} throughout"
    counts, worst = [], []
    for name, facts in record["step_statistics"].items():
        if "total" in facts:
            counts.append((name, facts["total"], number(facts["mean"]), facts["max"]))
        else:
            worst.append((name, number(facts["worst"], 3), number(facts["worst_t"])))
    tables = [table(("work", "in all", "a step", "at most"), counts, numbers=(1, 2, 3))] if counts else []
    tables += [table(("residual", "worst", "at t"), worst, numbers=(1, 2))] if worst else []
    both = f'<div class="row">{"".join(tables)}</div>'
    return Markup(f"<h2>Steps</h2>\n<p>{record['steps']} steps; {text(sizes)}.</p>\n{both}")


def parameters(record: Mapping[str, Any]) -> Markup:
    """Every value that was used, and where it came from where that is known."""
    if not record["parameters"]:
        return Markup("")
    known = any(p["source"] for p in record["parameters"])
    head = ("key", "value", "source") if known else ("key", "value")
    rows = [
        (Markup(f"<code>{text(p['key'])}</code>"), Markup(f"<code>{text(p['value'])}</code>"), p["source"])[: len(head)]
        for p in record["parameters"]
    ]
    return Markup(f"<h2>Parameters</h2>\n{_wide(table(head, rows))}")


def diagnostics(record: Mapping[str, Any]) -> Markup:
    """First, last and worst value of each number recorded with every snapshot."""
    rows = []
    for name, d in record["diagnostics"].items():
        unit = d.get("units", "1")
        label = f"{d.get('long_name') or name}{'' if unit in ('', '1') else f' [{unit}]'}"
        worst = number(d["worst"], 3) if d["worst_t"] is not None else ""
        place = f"{d['rule']}, t = {number(d['worst_t'], 4)}" if worst else ""
        rows.append((Markup(f"<code>{text(name)}</code>"), label, number(d["first"]), number(d["last"]), worst, place))
    if not rows:
        return Markup("")
    head = ("diagnostic", "", "first", "last", "worst", "")
    return Markup(f"<h2>Diagnostics</h2>\n{_wide(table(head, rows, numbers=(2, 3, 4)))}")


def case_file(toml: str) -> Markup:
    return Markup(f"<h2>Case file</h2>\n<pre>{text(toml.strip())}</pre>" if toml.strip() else "")


def provenance(record: Mapping[str, Any]) -> Markup:
    """Where the run comes from, and how to repeat it."""
    facts = [(name.removeprefix("wgfpde_").replace("_", " "), value) for name, value in record["provenance"].items()]
    rows = [(name, number(value) if isinstance(value, float) else value) for name, value in facts]
    rows.append(("file", record["file"]))
    if record["bytes"] is not None:
        rows.append(("size", size_text(record["bytes"])))
    repeat = "<p>This run was put together in Python: to repeat it, run that script again.</p>\n"
    if record["provenance"].get("made_in") != "python" and record["parameters"]:
        name = re.split(r"[\\/]", record["file"])[-1]
        repeat = f"<p>The file holds its own case. To repeat the run:</p>\n<pre>wgfpde run {text(name)}</pre>\n"
    return Markup(f"<h2>Provenance</h2>\n{repeat}{_wide(table((), rows))}")


def _wide(content: Markup) -> Markup:
    return Markup(f'<div class="wide">{content}</div>')


def sentence(words: str) -> str:
    """Words from a capital to a full stop."""
    return words[:1].upper() + words[1:].rstrip(".") + "."


def number(value: float, digits: int = 6) -> str:
    """So many digits, and a true minus sign; – for what is not a number."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")
