"""The models of the policy file: what may be said, checked; no behaviour.

Every field's description is the documentation of its key: `policy_json_schema` publishes them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from spendgraph.policy.approvals import Approvals
from spendgraph.policy.breakers import COUNTERS, Breaker
from spendgraph.policy.budgets import Budget
from spendgraph.policy.organisation import Split, TagMapping
from spendgraph.policy.scalars import BaggageTags, Channels, Count, Day, Tag, Tags, Text, Texts, Usd
from spendgraph.policy.section import Section
from spendgraph.policy.vocabulary import workload_class
from spendgraph.policy.watch import Watch

StepKind = Literal["model", "tool", "retriever", "embedding", "rerank", "other"]

_Version = Annotated[
    Literal["1"],
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
    WithJsonSchema({"enum": [1, "1"]}),
]


class Rule(Section):
    """A requirement that holds for some contexts only."""

    when: dict[Tag, Texts] = Field(min_length=1)
    """Tags and the values they must have for the rule to apply; a list means any of them."""

    require: Tags = Field(min_length=1)
    """Tags a context must then have."""

    message: str = ""
    """What to tell whoever runs into the rule."""


class Attribution(Section):
    """Which tags a task must carry, and what happens without them."""

    required: Tags = ()
    """Tags every task must have: standard ones by name, extra ones as `x_<key>`."""

    allowed: dict[Tag, Texts] = Field(default_factory=dict)
    """For a tag, the only values it may have."""

    rules: tuple[Rule, ...] = ()
    """Requirements that hold for some contexts only."""

    on_missing: Literal["block", "record"] = "record"
    """`block` refuses a call without the required tags before it is sent; `record` books it, marked."""

    trust_metadata: bool = True
    """Whether a root run's own metadata may set its tags; clients of a LangGraph server can send metadata."""

    trust_baggage: BaggageTags = ()
    """Tags accepted from an inbound `baggage` header, `task_id` included if listed."""

    users: Literal["plain", "hashed"] = "plain"
    """`hashed` keeps a keyed pseudonym of the user instead of the user, everywhere."""

    granularity: Literal["step"] = "step"
    """What the ledger keeps: every step."""

    @field_validator("allowed")
    @classmethod
    def _known_workload_classes(cls, allowed: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for value in allowed.get("workload_class", ()):
            workload_class(value)
        return allowed


class OwnerRule(Section):
    """Which team provides the steps that match; the context's team consumes them."""

    kind: StepKind | None = None
    """Only steps of this kind."""

    name: Text | None = None
    """Only steps of this name (of the tool, retriever or model class); `*` and `?` are wildcards."""

    node: Text | None = None
    """Only steps of this LangGraph node; `*` and `?` are wildcards."""

    team: Text
    """The team that provides them."""


class Rates(Section):
    """What tokens cost, in dollars."""

    input_usd_per_mtok: Usd | None = None
    """A million input tokens."""

    output_usd_per_mtok: Usd | None = None
    """A million output tokens."""

    cache_read_usd_per_mtok: Usd | None = None
    """A million input tokens read from the provider's prompt cache; without it, the input price."""

    cache_write_5m_usd_per_mtok: Usd | None = None
    """A million input tokens written to the prompt cache for five minutes; without it, the input price."""

    cache_write_1h_usd_per_mtok: Usd | None = None
    """A million input tokens written to the prompt cache for an hour; without it, the five-minute price."""

    reasoning_usd_per_mtok: Usd | None = None
    """A million reasoning tokens; without it, the output price."""

    audio_input_usd_per_mtok: Usd | None = None
    """A million audio input tokens; without it, the input price."""

    audio_output_usd_per_mtok: Usd | None = None
    """A million audio output tokens; without it, the output price."""

    image_output_usd_per_mtok: Usd | None = None
    """A million image output tokens; without it, the output price."""


class LongContext(Rates):
    """Rates of a request whose input is longer than a threshold; a rate not given stays as it is."""

    above_tokens: Count
    """The rates apply to the whole request when its input, cached tokens included, has more tokens than this."""


class ModelPrice(Rates):
    """The price of a model: the first entry that matches provider, model and day counts."""

    provider: Text = "*"
    """The provider, such as `openai`; `*` and `?` are wildcards."""

    model: Text
    """The model, such as `my-llama-70b`; `*` and `?` are wildcards."""

    input_usd_per_mtok: Usd  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    """A million input tokens; `0` is free."""

    output_usd_per_mtok: Usd  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    """A million output tokens; `0` is free, and right for embeddings."""

    web_search_usd_per_1k: Usd | None = None
    """A thousand web searches made by the provider."""

    usd_per_request: Usd | None = None
    """Each request, whatever its tokens."""

    tiers: dict[Text, Rates] = Field(default_factory=dict)
    """Rates of a service tier, such as `flex`, `batch` or `priority`; a rate not given stays as it is."""

    long_context: LongContext | None = None
    """Rates of long requests."""

    from_: Day | None = Field(default=None, validation_alias="from", serialization_alias="from")
    """The first day (UTC) of this price; without it, since ever."""

    to: Day | None = None
    """The first day (UTC) that this price no longer holds; without it, until further notice."""

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.from_ and self.to and self.from_ >= self.to:
            raise ValueError(f"expected `from` before `to`, found {self.from_} and {self.to}")
        return self


class PricesPolicy(Section):
    """Prices of your own, before the price list, and what happens to a model without one."""

    unpriced: Literal["block", "record"] = "record"
    """`block` refuses a model without a price before the call, and one that does not say its name, unless `model: "*"` prices its provider; `record` books it as unpriced."""

    models: tuple[ModelPrice, ...] = ()
    """Prices of private deployments, negotiated rates and self-hosted models."""


class ToolPolicy(Section):
    """Who publishes a tool and what it costs; without a price it is free."""

    owner: Text | None = None
    """The team that provides the tool."""

    usd_per_call: Usd | None = None
    """Each call."""

    usd_per_unit: Usd | None = None
    """Each unit of the quantity that a call reports."""

    unit: Text | None = None
    """What the quantity counts, such as `page` or `minute`."""

    @model_validator(mode="after")
    def _unit_has_a_name(self) -> Self:
        if self.usd_per_unit is not None and self.unit is None:
            raise ValueError("expected `unit` beside `usd_per_unit`: say what is counted, such as page")
        return self


class Estimates(Section):
    """What a call is expected to use, where neither the request nor the ledger's history says."""

    default_output_tokens: Count = 1024
    """Output tokens of a call without a limit of its own; also the most that a higher limit counts for."""


class Policy(Section):
    """The whole policy file; without one nothing is required and everything is recorded.

    Example:
        >>> Policy().attribution.on_missing
        'record'
    """

    version: _Version = "1"
    """The version of the file's schema."""

    attribution: Attribution = Attribution()
    """The tags: which are required, which values they may have, whose word counts."""

    owners: tuple[OwnerRule, ...] = ()
    """Which team provides a step; the first rule that matches counts."""

    prices: PricesPolicy = PricesPolicy()
    """Prices of your own, and what happens to a model without one."""

    tools: dict[Text, ToolPolicy] = Field(default_factory=dict)
    """Tools by name; `*` and `?` are wildcards, the first name that matches counts."""

    budgets: tuple[Budget, ...] = ()
    """What may be spent. Every budget that matches a call must have room for it before it goes out."""

    breakers: tuple[Breaker, ...] = ()
    """What stops the calls of a tenant, a feature or a task for a while when something looks wrong."""

    watch: Watch = Watch()
    """What `spendgraph watch` looks at, who is told what it finds, and when it stops somebody."""

    mappings: tuple[TagMapping, ...] = ()
    """Other tags that reports show from a day on, after a reorganisation; steps stay as they were booked."""

    splits: tuple[Split, ...] = ()
    """Who shares, in reports and from a day on, what serves several payers; steps stay as they were booked."""

    notify: dict[Text, Channels] = Field(default_factory=dict, repr=False)
    """Who is told, and where: a name that owns budgets or stands in `to`, with apprise URLs such as `slack://...` or `mailto://...`; `${NAME}` in one is the environment variable."""

    on_ledger_error: dict[Text, Literal["block", "allow"]] = Field(default_factory=dict)
    """By environment, what happens when the ledger cannot be written: `block` refuses calls, `allow` lets them out and books them later; environments that are not named block."""

    approvals: Approvals = Approvals()
    """What counts as a person's decision, where a budget asks for one, and until when it is awaited."""

    estimates: Estimates = Estimates()
    """What a call is expected to use, where nothing says."""

    on_swallowed: Literal["raise", "warn"] = "raise"
    """What happens at the end of a run that ignored a refusal inside it: an error, or a line in the log."""

    loop_wait_ms: Count = 250
    """How many milliseconds an event loop waits for the ledger before a call is refused as `LedgerBusy`; after a wait in vain 25, until it has answered."""

    @field_validator("budgets")
    @classmethod
    def _names_differ(cls, budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
        _differ("budget", [budget.name for budget in budgets])
        for budget in budgets:
            if budget.name.startswith(COUNTERS):
                raise ValueError(
                    f"expected a budget's name that does not begin with {COUNTERS!r}, found {budget.name!r}"
                )
        return budgets

    @field_validator("breakers")
    @classmethod
    def _breakers_differ(cls, breakers: tuple[Breaker, ...]) -> tuple[Breaker, ...]:
        _differ("breaker", [breaker.name for breaker in breakers])
        return breakers

    @field_validator("mappings")
    @classmethod
    def _mappings_differ(cls, mappings: tuple[TagMapping, ...]) -> tuple[TagMapping, ...]:
        _differ("mapping and split", [mapping.name for mapping in mappings])
        return mappings

    @field_validator("splits")
    @classmethod
    def _splits_differ(cls, splits: tuple[Split, ...], info: ValidationInfo) -> tuple[Split, ...]:
        mappings: tuple[TagMapping, ...] = info.data.get("mappings", ())
        _differ("mapping and split", [rule.name for rule in (*mappings, *splits)])
        return splits

    @model_validator(mode="after")
    def _to_is_somebody(self) -> Self:
        told = [name for budget in self.budgets for each in budget.thresholds for name in each.to]
        told += [name for breaker in self.breakers for name in breaker.to]
        told += [name for cut in self.watch.cuts for name in cut.to]
        for name in told:
            if name not in self.notify:
                raise ValueError(
                    f"expected names under `notify` in `to`, found {name!r}: say there where it is told"
                )
        return self

    @model_validator(mode="after")
    def _watches_open_breakers(self) -> Self:
        scopes = {breaker.name: breaker.scope_names for breaker in self.breakers}
        _differ("watched cut", [cut.name for cut in self.watch.cuts])
        for cut in self.watch.cuts:
            if cut.breaker is None:
                continue
            if cut.breaker not in scopes:
                raise ValueError(
                    f"expected the name of a breaker in `breaker` of the cut {cut.name!r}, found {cut.breaker!r}"
                )
            if scopes[cut.breaker] != cut.per:
                raise ValueError(
                    f"expected the cut {cut.name!r} to have the `per` of the breaker it opens,"
                    f" {list(scopes[cut.breaker])}, found {list(cut.per)}"
                )
        return self


def _differ(what: str, names: list[str]) -> None:
    """Refuse a name that is there twice."""
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"expected a name of its own for every {what}, found {twice!r} twice")


def policy_json_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of the policy file, with a description of every key."""
    schema: dict[str, object] = Policy.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "spendgraph policy"}
