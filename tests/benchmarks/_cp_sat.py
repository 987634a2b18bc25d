"""The choice of days for one course as a constraint model: the independent optimum that `plan-one` compares with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ortools.sat.python import cp_model

from scheduling.protocols.types import Protocol

#: What one of each costs, so that the sum compares like what `planning` compares one after the other.
WEIGHTS: Mapping[str, Mapping[str, int]] = {
    "wishes": {"unmet": 10**5, "warn": 10**3, "off": 1, "delay": 1},
    "soonest": {"warn": 10**10, "last": 10**7, "unmet": 10**6, "delay": 10**4, "square": 1},
    "even": {"warn": 10**6, "square": 70, "delay": 10, "unmet": 1},
}


@dataclass(frozen=True)
class Day:
    """A day's number, and its possible starts in cells of elapsed time, split by whether they meet the wishes."""

    number: int
    wished: Sequence[int]
    others: Sequence[int]


def least_cost(
    protocol: Protocol, days: Sequence[Day], label: str, *, first_until: int, seconds: float = 30
) -> int | None:
    """The optimum for an initial phase of the planned number of sessions, None where there is no choice of days.

    Raises RuntimeError if it is not proven in time.
    """
    cells = [cell for day in days for cell in (*day.wished, *day.others)]
    if not cells:
        return None
    sessions, limits = range(protocol.initial_plan), protocol.limits
    gap, span = limits["gap-min"], limits["span-max"].value
    model = cp_model.CpModel()
    anywhere = cp_model.Domain.from_values(cells)
    starts = [model.new_int_var_from_domain(anywhere, f"start{k}") for k in sessions]
    numbers = [model.new_int_var(0, max(day.number for day in days), f"day{k}") for k in sessions]
    unmet = [
        place for start, number in zip(starts, numbers, strict=True) for place in _places(model, days, start, number)
    ]
    model.add(numbers[0] <= first_until)
    model.add(numbers[-1] - numbers[0] <= span)
    for k in sessions[1:]:
        model.add(numbers[k] - numbers[k - 1] >= gap.value)
        model.add(starts[k] - starts[k - 1] >= 6 * (gap.hours or 0))
    broken = cp_model.LinearExpr.weighted_sum(unmet, [WEIGHTS[label]["unmet"]] * len(unmet))
    model.minimize(broken + _cost(model, protocol, numbers, WEIGHTS[label]))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = seconds
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return None
    if status != cp_model.OPTIMAL:
        raise RuntimeError(f"CP-SAT has not proven its optimum in {seconds} s")
    return round(solver.objective_value)


def _places(
    model: cp_model.CpModel, days: Sequence[Day], start: cp_model.IntVar, number: cp_model.IntVar
) -> list[cp_model.IntVar]:
    """Tie a session's start to its day; whether it is among the starts of a day that do not meet the wishes."""
    places: list[cp_model.IntVar] = []
    unmet: list[cp_model.IntVar] = []
    for day in days:
        for some, found in ((day.wished, places), (day.others, unmet)):
            if some:
                here = model.new_bool_var("")
                domain = cp_model.Domain.from_values(list(some))
                model.add_linear_expression_in_domain(start, domain).only_enforce_if(here)
                model.add(number == day.number).only_enforce_if(here)
                found.append(here)
    model.add_exactly_one([*places, *unmet])
    return unmet


def _cost(
    model: cp_model.CpModel, protocol: Protocol, numbers: Sequence[cp_model.IntVar], weights: Mapping[str, int]
) -> cp_model.LinearExpr:
    """What counts against the days beside the wishes."""
    limits, preferred, longest = protocol.limits, protocol.preferred_days, 366
    cost = weights.get("delay", 0) * numbers[0] + weights.get("last", 0) * numbers[-1]
    for k in range(1, len(numbers)):
        gap = numbers[k] - numbers[k - 1]
        if "gap-max" in limits:
            cost += weights["warn"] * _above(model, gap, limits["gap-max"].value)
        if "off" in weights:
            off = model.new_int_var(0, longest, "")
            model.add_abs_equality(off, numbers[k] - numbers[0] - preferred[k])
            cost += weights["off"] * off
        if "square" in weights:
            amiss, square = model.new_int_var(-longest, longest, ""), model.new_int_var(0, longest**2, "")
            model.add(amiss == gap - (preferred[k] - preferred[k - 1]))
            model.add_multiplication_equality(square, [amiss, amiss])
            cost += weights["square"] * square
    if "span-min" in limits:
        cost += weights["warn"] * _above(model, numbers[0] - numbers[-1], -limits["span-min"].value)
    return cost


def _above(model: cp_model.CpModel, expression: cp_model.LinearExprT, limit: int) -> cp_model.IntVar:
    """Whether the expression is above the limit."""
    is_above = model.new_bool_var("")
    model.add(expression > limit).only_enforce_if(is_above)
    model.add(expression <= limit).only_enforce_if(~is_above)
    return is_above


def cost_of(protocol: Protocol, numbers: Sequence[int], unmet: int, label: str) -> int:
    """The same sum for days that were chosen otherwise."""
    weights, limits = WEIGHTS[label], protocol.limits
    preferred = protocol.preferred_days
    gaps = [later - earlier for earlier, later in pairwise(numbers)]
    wanted = [later - earlier for earlier, later in pairwise(preferred)]
    warn = sum(gap > limits["gap-max"].value for gap in gaps) if "gap-max" in limits else 0
    if "span-min" in limits:
        warn += numbers[-1] - numbers[0] < limits["span-min"].value
    found = {
        "unmet": unmet,
        "warn": warn,
        "last": numbers[-1],
        "off": sum(abs(number - numbers[0] - day) for number, day in zip(numbers, preferred, strict=True)),
        "delay": numbers[0],
        "square": sum((gap - want) ** 2 for gap, want in zip(gaps, wanted, strict=True)),
    }
    return sum(weight * found[name] for name, weight in weights.items())
