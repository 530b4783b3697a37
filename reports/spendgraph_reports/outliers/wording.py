"""A cause as a sentence with its numbers, which somebody who knows the agent can check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph_reports.amounts import dollars, percent, places_of

if TYPE_CHECKING:
    from spendgraph_reports.outliers.causes import Cause
    from spendgraph_reports.outliers.profiles import Place


def evidence(cause: Cause, *, of_one: bool) -> str:
    """What differs, in words.

    Args:
        cause: The cause.
        of_one: It is about one task and the medians of its like; otherwise about averages.
    """
    own, usual, place = cause.here, cause.usual, cause.place
    said = _sentence(cause, own, usual, place)
    return said if of_one or cause.kind == "more tasks" else f"{said}, on average"


def _sentence(cause: Cause, own: Place, usual: Place, place: str) -> str:
    match cause.kind:
        case "more tasks":
            return f"{_number(own.steps)} tasks, usual are {_number(usual.steps)}"
        case "more turns":
            return f"{_number(own.steps)} model calls, usual are {_number(usual.steps)}"
        case "more calls":
            return f"{_number(own.steps)} calls of {place}, usual are {_number(usual.steps)}"
        case "longer prompt":
            return f"the prompt of {place} begins with {_tokens(own.first_tokens)} tokens, usual are {_tokens(usual.first_tokens)}"
        case "prompt growth":
            return (
                f"the prompt of {place} grew from {_tokens(own.first_tokens)} to {_tokens(own.largest_tokens)} tokens,"
                f" usual is from {_tokens(usual.first_tokens)} to {_tokens(usual.largest_tokens)}"
            )
        case "large result":
            return (
                f"the prompt of {place} grew by {_tokens(own.jump_tokens)} tokens right after {own.jump_after}, from"
                f" {_tokens(own.first_tokens)} to {_tokens(own.largest_tokens)} in all"
            )
        case "longer answers":
            return f"an answer of {place} has {_tokens(own.output_tokens)} tokens, usual are {_tokens(usual.output_tokens)}"
        case "cache missed":
            return f"{percent(own.cached)} of the prompt of {place} came from the cache, usual are {percent(usual.cached)}"
        case "dearer model":
            how = (
                f"{own.model}, usual is {usual.model}"
                if own.model != usual.model
                else f"{own.model} at another price"
            )
            return f"{place} ran on {how}"
        case "paid again":
            were = "step was" if own.steps == 1 else "steps were"
            return f"{_number(own.steps)} {were} paid again for {_dollars(own.steps * own.nanousd)}"
        case "dear step":
            if not usual.steps:
                return f"{place} cost {_dollars(own.nanousd)}; most of its like have none"
            return f"a step of {place} cost {_dollars(own.nanousd)}, usual are {_dollars(usual.nanousd)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:,.1f}"


def _tokens(value: float) -> str:
    return f"{value:,.0f}"


def _dollars(nanousd: float) -> str:
    return dollars(round(nanousd), places_of([round(nanousd)]))
