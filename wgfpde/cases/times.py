"""When snapshots are written, and whether JKO steps can be there in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ..errors import CaseError
from ..grid import Array
from .schema import Case

MAX_OUTPUTS = 100_000
"""Most snapshots a case may ask for."""
MOST_STEPS = 1e12
MULTIPLE = 1e-9
"""How far, relative to its distance from the start, a time may lie from a whole number of JKO steps."""


def output_times(case: Case) -> Array:
    """Strictly increasing output times; start and end are always among them.  Raises CaseError."""
    start, end, every = case.time.start, case.time.end, case.output.every
    if case.output.times is not None:
        times = _increasing(case.output.times, start, end)
    else:
        assert every is not None
        count = (end - start) / every
        if count > MAX_OUTPUTS:
            raise CaseError(f"{every:g} asks for {count:.3g} snapshots, more than {MAX_OUTPUTS}; enlarge it")
        times = _in_decimals(start + every * np.arange(1, math.ceil(count - 1e-9)))
    if len(times) > MAX_OUTPUTS:
        raise CaseError(f"found {len(times)} snapshots; at most {MAX_OUTPUTS}: leave some out")
    return np.unique(np.concatenate([[start], times, [end]]))


def _increasing(given: Sequence[float], start: float, end: float) -> Array:
    """Times as an array, start and end among them or not.  Raises CaseError out of order, twice, or out of reach.

    They are not put in order: of 1, 2, 33, 4 one is a slip, and another time than was meant would be stored.
    """
    times = np.array(given, dtype=float)
    if np.any(outside := (times < start) | (times > end)):
        found = float(times[np.argmax(outside)])
        bound = "time.start" if found < start else "time.end"
        raise CaseError(
            f"expected times within [{start:.10g}, {end:.10g}], found {found:.10g}; leave it out, or change {bound}"
        )
    if np.any(steps := np.diff(times) <= 0):
        k = int(np.argmax(steps))
        if times[k] == times[k + 1]:
            raise CaseError(f"expected increasing times, found {times[k]:.10g} twice; name it once")
        raise CaseError(
            f"expected increasing times, found {times[k]:.10g} before {times[k + 1]:.10g}; write them in order"
        )
    return times


def _in_decimals(times: Array) -> Array:
    """Times as they are written, 1.15 and not 1.1500000000000001: so an end that was asked for is one of them too."""
    return np.array([float(f"{t:.15g}") for t in times], dtype=float)


def asked_spans(case: Case) -> dict[str, list[float]]:
    """What the case itself says about times, as distances from its start, by key; the start itself is stored anyway."""
    start = case.time.start
    return {
        "time.end": [case.time.end - start],
        "output.every": [] if case.output.every is None else [case.output.every],
        "output.times": [t - start for t in case.output.times or [] if t != start],
        "time.breakpoints": [t - start for t in case.time.breakpoints or []],
    }


def check_count(span: float, step: object, name: str = "dt") -> None:
    """Refuse a step of which a span takes more than MOST_STEPS.   step : a number, else nothing is said.

    Raises CaseError.
    """
    if isinstance(step, float | int) and not span < MOST_STEPS * step:
        raise CaseError(f"{name} = {step:.10g} asks for {span / step:.3g} steps; enlarge it")


def check_multiples(
    spans: Sequence[float], tau: float, start: float, others: Sequence[float], name: str = "tau"
) -> None:
    """Refuse a span that no whole number of steps fills: they all have one size and end on every output time.

    spans : distances from the start.   start : to name times in the message.   others : spans that must be multiples of
    a better tau too.   name : the key of tau.   Raises CaseError with the nearest choices.
    """
    for span in spans:
        count = span / tau
        check_count(span, tau, name)
        if round(count) > 0 and abs(count - round(count)) <= MULTIPLE * max(1.0, count):
            continue
        near = [start + k * tau for k in (math.floor(count), math.ceil(count)) if k > 0]
        choices = f"the nearest {'are' if len(near) == 2 else 'is'} {' and '.join(f'{t:.10g}' for t in near)}"
        after = f" after the start {start:g}" if start else ""
        better = " or ".join(map(repr, nearest_steps([*spans, *others], tau)))
        remedy = f"; or take {name} = {better}" if better else ""
        raise CaseError(f"{start + span:.10g} is not a multiple of {name} = {tau:.10g}{after}; {choices}{remedy}")


def nearest_steps(spans: Sequence[float], tau: float) -> list[float]:
    """The largest step ≤ tau and the smallest ≥ tau of which all spans > 0 are multiples, as far as there are any.

    None is sought below tau/1000.
    """
    spans = [span for span in spans if span > 0]
    fractions = [Fraction(span).limit_denominator(10**6) for span in spans]
    common = Fraction(math.gcd(*(f.numerator for f in fractions)), math.lcm(*(f.denominator for f in fractions)))
    if any(abs(float(f) - span) > MULTIPLE * span for f, span in zip(fractions, spans, strict=True)):
        return []
    if common < tau / 1000:
        return []
    count = float(common) / tau
    parts = {math.ceil(count * (1 - MULTIPLE)), math.floor(count * (1 + MULTIPLE))}
    return sorted(float(common) / n for n in parts if n > 0)
