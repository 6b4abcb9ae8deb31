"""A formula as a straight list of NumPy calls on numbered slots, and its evaluation.

Equal sub-expressions share a slot and are computed once, constants are folded, and a result overwrites a work
array that is not needed any more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..base.effort import counted, spend, weight

Array = np.ndarray
MOST_BYTES = 2**28
"""Of work arrays at a time; where a formula would need more it is evaluated in blocks of rows."""


@dataclass(frozen=True)
class Step:
    """slots[target] = function(*slots[arguments]).

    last : temporaries not needed after this step.   in_place : whether the result may overwrite one of them.
    """

    function: Callable[..., Any]
    arguments: tuple[int, ...]
    target: int
    last: tuple[int, ...]
    in_place: bool


@dataclass(frozen=True, eq=False)
class Program:
    """What a formula computes.

    start : one entry per slot: constants in place, None elsewhere.
    loads : which variable goes into which slot.   result : the slot of the value.
    """

    start: tuple[Any, ...]
    loads: tuple[tuple[int, str], ...]
    steps: tuple[Step, ...]
    result: int

    def run(self, given: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
        """The value at the given variables, as a new float array of `shape`, to which they broadcast.

        Raises Exhausted where it would take more than formulas may: see `effort`.
        """
        if counted():
            spend(self.cost({name: given[name].shape for _, name in self.loads}))
        return self._run(given, shape)

    def cost(self, shapes: Mapping[str, tuple[int, ...]]) -> float:
        """Nanoseconds that a run takes at variables of these shapes."""
        sizes = ((w, math.prod(np.broadcast_shapes(*(shapes[name] for name in on)))) for on, w in self._weights.items())
        return sum(w * size for w, size in sizes)

    @cached_property
    def _weights(self) -> dict[frozenset[str], float]:
        """Nanoseconds a value, by the variables that the values depend on."""
        depends = {slot: frozenset([name]) for slot, name in self.loads}
        found: dict[frozenset[str], float] = {}
        for step in self.steps:
            on = frozenset[str]().union(*(depends.get(k, frozenset()) for k in step.arguments))
            depends[step.target] = on
            found[on] = found.get(on, 0.0) + weight(step.function)
        return found

    def _run(self, given: Mapping[str, Array], shape: tuple[int, ...]) -> Array:
        needed = 8.0 * self.most * math.prod(shape)
        if needed > MOST_BYTES and shape[0] > 1:
            return self._in_blocks(given, shape, max(1, int(shape[0] * MOST_BYTES / needed)))
        slots = list(self.start)
        for slot, name in self.loads:
            slots[slot] = given[name]
        with np.errstate(all="ignore"):
            for step in self.steps:
                operands = [slots[k] for k in step.arguments]
                spare = next((slots[k] for k in step.last if _is_work(slots[k], shape)), None)
                if step.in_place and spare is not None:
                    slots[step.target] = step.function(*operands, out=spare)
                else:
                    slots[step.target] = step.function(*operands)
                for k in step.last:
                    slots[k] = None
        result = slots[self.result]
        if self.steps and self.result == self.steps[-1].target and _is_work(result, shape):
            return np.ascontiguousarray(result)
        return np.array(np.broadcast_to(result, shape), dtype=float, order="C")

    @property
    def most(self) -> int:
        """Work arrays that are there at a time, at most."""
        live = most = 0
        for step in self.steps:
            live += 1
            most = max(most, live)
            live -= len(step.last)
        return most

    def _in_blocks(self, given: Mapping[str, Array], shape: tuple[int, ...], rows: int) -> Array:
        """The same, so many rows at a time."""
        out = np.empty(shape)
        for first in range(0, shape[0], rows):
            part = out[first : first + rows]
            few = {
                name: value[first : first + rows] if value.ndim == len(shape) and value.shape[0] > 1 else value
                for name, value in given.items()
            }
            part[...] = self._run(few, part.shape)
        return out


def _is_work(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether a slot holds a float array of the full shape, which can take a result."""
    return isinstance(value, np.ndarray) and value.ndim > 0 and value.shape == shape and value.dtype == float


class Builder:
    """Collects the calls of one formula.  A slot is the index of a constant, a variable or a result."""

    def __init__(self) -> None:
        self._slots: dict[tuple, int] = {}  # what a slot holds → its index: equal things share one slot
        self.constants: dict[int, Any] = {}
        self.conditions: set[int] = set()
        self._loads: dict[int, str] = {}
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...], int]] = []

    def constant(self, value: float) -> int:
        slot = self._slot(("constant", float(value).hex()))
        self.constants[slot] = np.float64(value)
        return slot

    def load(self, name: str) -> int:
        slot = self._slot(("load", name))
        self._loads[slot] = name
        return slot

    def number(self, slot: int) -> int:
        """The slot as a number: a condition counts 1 or 0."""
        return self.emit(np.multiply, slot, self.constant(1.0)) if slot in self.conditions else slot

    def emit(self, function: Callable[..., Any], *arguments: int, condition: bool = False) -> int:
        """The slot of function(*arguments): computed now if all are constants, once if it occurs again."""
        key = (function, arguments)
        if key in self._slots:
            return self._slots[key]
        slot = self._slot(key)
        if condition:
            self.conditions.add(slot)
        if all(k in self.constants for k in arguments):
            with np.errstate(all="ignore"):
                self.constants[slot] = function(*(self.constants[k] for k in arguments))[()]
        else:
            self._steps.append((function, arguments, slot))
        return slot

    def chain(self, function: np.ufunc, slots: Sequence[int], condition: bool = False) -> int:
        result = slots[0]
        for slot in slots[1:]:
            result = self.emit(function, result, slot, condition=condition)
        return result

    def _slot(self, key: tuple) -> int:
        return self._slots.setdefault(key, len(self._slots))

    def finish(self, result: int) -> Program:
        """The program, without steps that folding left unused, and with the last use of every temporary."""
        needed = {result}
        kept = []
        for function, arguments, target in reversed(self._steps):
            if target in needed:
                fresh = {k for k in arguments if k not in needed} - set(self.constants)
                last = tuple(sorted(fresh - set(self._loads)))
                in_place = isinstance(function, np.ufunc) and target not in self.conditions
                kept.append(Step(function, arguments, target, last, in_place))
                needed |= set(arguments)
        start = tuple(self.constants.get(k) for k in range(len(self._slots)))
        loads = tuple((slot, name) for slot, name in self._loads.items() if slot in needed)
        return Program(start, loads, tuple(reversed(kept)), result)
