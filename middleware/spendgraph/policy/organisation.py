"""The models of reorganisations: who pays from a day on, for reports; steps stay as they were booked. No behaviour."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, field_validator, model_validator

from spendgraph.policy.scalars import Day, Percent, ReportTag, Text, Texts, percent_text
from spendgraph.policy.section import Section
from spendgraph.policy.vocabulary import workload_class


class DatedRule(Section):
    """What every rule of a reorganisation says: its name, its days, and which rows it is for."""

    name: Text
    """Its name, shown in the column `rule` of reports; every mapping and split has its own."""

    from_: Day = Field(validation_alias="from", serialization_alias="from")
    """The first day on which it holds, from midnight in the report's time zone."""

    to: Day | None = None
    """The first day on which it no longer holds; without it, until further notice."""

    when: dict[ReportTag, Texts] = Field(min_length=1)
    """Tags, or `owner_team`, and the values they must have for a row to be meant; a list means any of them."""

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.to and self.from_ >= self.to:
            raise ValueError(f"expected `from` before `to`, found {self.from_} and {self.to}")
        return self


class TagMapping(DatedRule):
    """Other tags for what teams spend after a reorganisation; mappings apply in the file's order, each to what those before it made."""

    set_: dict[ReportTag, Text] = Field(min_length=1, validation_alias="set", serialization_alias="set")
    """The tags, or `owner_team`, and the values that reports show instead."""

    @field_validator("set_")
    @classmethod
    def _known_workload_class(cls, tags: dict[str, str]) -> dict[str, str]:
        return _checked(tags)


class SplitPart(Section):
    """One part of a split."""

    share: Percent
    """How much of it, such as `60%`."""

    set_: dict[ReportTag, Text] = Field(
        default_factory=dict, validation_alias="set", serialization_alias="set"
    )
    """The tags, or `owner_team`, and the values that the part gets; without it, it stays with whom it is."""

    @field_validator("set_")
    @classmethod
    def _known_workload_class(cls, tags: dict[str, str]) -> dict[str, str]:
        return _checked(tags)


class Split(DatedRule):
    """Shares of what serves several payers; after all mappings, the first split that matches a row counts."""

    into: tuple[SplitPart, ...]
    """The parts; their shares add up to 100%."""

    @field_validator("into")
    @classmethod
    def _parts_make_a_whole(cls, parts: tuple[SplitPart, ...]) -> tuple[SplitPart, ...]:
        if len(parts) < 2:
            raise ValueError(
                f"expected two parts or more, found {len(parts)}: all for one payer is a mapping"
            )
        total = sum((part.share for part in parts), Decimal(0))
        if total != 1:
            raise ValueError(f"expected shares that add up to 100%, found {percent_text(total)}")
        for number, part in enumerate(parts):
            if part.set_ in [other.set_ for other in parts[:number]]:
                says = ", ".join(f"{tag}: {value}" for tag, value in part.set_.items()) or "nothing"
                raise ValueError(f"expected parts that differ, found two that set {says}: add them up")
        return parts


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if "workload_class" in tags:
        workload_class(tags["workload_class"])
    return tags
