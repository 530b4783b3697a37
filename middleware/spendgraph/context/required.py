"""What a policy asks of a context: required tags, conditional rules, allowed values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spendgraph.policy.vocabulary import CORE_TAGS, EXTRA_PREFIX, STANDARD_TAGS, did_you_mean, shortened

if TYPE_CHECKING:
    from spendgraph.context.tags import CostContext
    from spendgraph.policy.models import Attribution


class Violation(NamedTuple):
    """A tag that is missing or has a value the policy does not allow, and what to tell about it."""

    tag: str
    message: str


def missing_tags(context: CostContext, attribution: Attribution) -> tuple[Violation, ...]:
    """Everything the policy asks that a context does not have: one violation a tag, the first reason counts.

    A blank tag is a missing one. Where the policy requires no tag, an empty context still lacks all five
    core tags: it is unattributed. The answer depends on the context's content alone, so it can be kept by
    `context_id`.
    """
    found: dict[str, str] = {}
    required = attribution.required or (CORE_TAGS if context.is_empty else ())
    for name in required:
        if not _value(context, name).strip():
            found.setdefault(name, f"tag {name!r} is required and not set")
    for rule in attribution.rules:
        if all(_value(context, name) in values for name, values in rule.when.items()):
            for name in rule.require:
                if not _value(context, name).strip():
                    found.setdefault(
                        name, rule.message or f"tag {name!r} is required when {_words(rule.when)}"
                    )
    for name, values in attribution.allowed.items():
        value = _value(context, name)
        if value and value not in values:
            found.setdefault(
                name,
                f"tag {name!r}: expected one of {', '.join(values)}, found {shortened(value)}"
                f"{did_you_mean(value, values)}",
            )
    return tuple(Violation(name, message) for name, message in found.items())


def _value(context: CostContext, name: str) -> str:
    if name in STANDARD_TAGS:
        value: str = getattr(context, name)
        return value
    return context.extra.get(name.removeprefix(EXTRA_PREFIX), "")


def _words(when: dict[str, tuple[str, ...]]) -> str:
    return " and ".join(f"{name} is {' or '.join(values)}" for name, values in when.items())
