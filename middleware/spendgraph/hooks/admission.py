"""What is asked of a step before its call goes out: its tags and, where the policy blocks, a known price."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from spendgraph.context import missing_tags
from spendgraph.ledger.records import TOKEN_KINDS

if TYPE_CHECKING:
    from spendgraph.hooks.places import Place
    from spendgraph.hooks.tools import ToolRegistry
    from spendgraph.policy import Policy
    from spendgraph.pricing import PriceBook

_MOST_KEPT = 10_000


class Admission:
    """Lets steps start, or refuses them with a decision that says why.

    Args:
        policy: Required tags, and what to do without them or without a price.
        prices: The price book.
        tools: What tools cost, and rerankers that are priced like tools.
        decide: Writes a decision: `decide(place, kind, outcome, reason, **detail)`.
    """

    def __init__(
        self, policy: Policy, prices: PriceBook, tools: ToolRegistry, decide: Callable[..., None]
    ) -> None:
        self._attribution = policy.attribution
        self._prices = prices
        self._tools = tools
        self._decide = decide
        self._checked: dict[str, tuple[str, str]] = {}
        self._blocks_missing = policy.attribution.on_missing == "block"
        self._blocks_unpriced = policy.prices.unpriced == "block"

    def admit(
        self,
        step_id: str,
        place: Place,
        kind: str,
        name: str,
        provider: str,
        model: str,
        at_us: int,
        *,
        is_spent: bool = False,
    ) -> None:
        """Note which required tags the place lacks, and let the step start; what is spent already needs no price.

        Raises:
            ContextMissing: Required tags are missing and the policy blocks.
            UnpricedModel: No price is known for the model and the policy blocks.
        """
        if place.missing is None:
            place.missing = self._check(place)[0]
        if place.missing and self._blocks_missing:
            self._refuse_context(step_id, place, kind, name)
        must_be_priced = self._blocks_unpriced and kind in TOKEN_KINDS and not is_spent
        if must_be_priced and not self._is_priced(kind, name, provider, model, at_us):
            self._refuse_unpriced(step_id, place, provider, model)

    def _is_priced(self, kind: str, name: str, provider: str, model: str, at_us: int) -> bool:
        if kind == "rerank" and self._tools.find(name).is_priced:
            return True
        return self._prices.price(provider, model, at_us) is not None

    def _check(self, place: Place) -> tuple[str, str]:
        """The missing tags, joined by commas, and the policy's words about them."""
        context = place.context
        known = self._checked.get(context.context_id)
        if known is None:
            violations = missing_tags(context, self._attribution)
            known = (
                ",".join(v.tag for v in violations),
                "; ".join(v.message.rstrip(".") for v in violations),
            )
            if len(self._checked) > _MOST_KEPT:
                self._checked.clear()
            self._checked[context.context_id] = known
        return known

    def _refuse_context(self, step_id: str, place: Place, kind: str, name: str) -> None:
        from spendgraph.hooks.refusals import ContextMissing

        missing, messages = self._check(place)
        tags = tuple(missing.split(","))
        detail = {"step_id": step_id, "step_kind": kind, "name": name, "missing": tags}
        self._decide(place, "attribution", "refused", messages, **detail)
        raise ContextMissing(
            f"{kind} step {name!r} was not started: {messages}. {place.problem}".rstrip(),
            missing=tags,
            hint="Give the run its tags with meter.config(CostContext(...)) or `with meter.task(...)`.",
        )

    def _refuse_unpriced(self, step_id: str, place: Place, provider: str, model: str) -> None:
        from spendgraph.hooks.refusals import UnpricedModel

        reason = f"no price is known for model {model!r} of provider {provider or 'unknown'!r}"
        hint = "Add it under prices.models in the policy file (0 makes it free)."
        if not model:
            reason = "the model does not say its name, so it has no price"
            hint = (
                "Give the model its name, or price whatever its provider answers with `model: '*'` under prices.models"
                " in the policy file."
            )
        self._decide(place, "price", "refused", reason, step_id=step_id, provider=provider, model=model)
        raise UnpricedModel(
            f"The call was not sent: {reason}; the policy says `unpriced: block`.",
            provider=provider,
            model=model,
            hint=hint,
        )
