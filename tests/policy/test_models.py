"""The policy's models, built in code, and their JSON Schema."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from spendgraph.policy import Attribution, ModelPrice, Policy, ToolPolicy, policy_json_schema


def test_the_default_policy_requires_nothing_and_records_everything() -> None:
    """Without a policy nothing is refused."""
    policy = Policy()
    assert policy.attribution.required == ()
    assert policy.attribution.on_missing == "record"
    assert policy.attribution.trust_metadata is True
    assert policy.attribution.trust_baggage == ()
    assert policy.prices.unpriced == "record"
    assert policy.tools == {}


def test_a_policy_cannot_be_changed() -> None:
    """What was checked stays what is in force."""
    policy = Policy()
    with pytest.raises(ValidationError):
        policy.owners = ()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("written", "dollars"),
    [
        ("0", Decimal(0)),
        ("0.000000000001", Decimal("0.000000000001")),
        (0.1, Decimal("0.1")),
        (2, Decimal(2)),
        ("1000000", Decimal(1000000)),
        ("0.2500000000000000", Decimal("0.25")),
        ("1e3", Decimal(1000)),
    ],
)
def test_dollars_are_exact(written: object, dollars: Decimal) -> None:
    """A price is the decimal number that was written; a float is read through its repr."""
    assert ToolPolicy.model_validate({"usd_per_call": written}).usd_per_call == dollars


@pytest.mark.parametrize(
    "written",
    [
        "-0.01",
        "NaN",
        "sNaN",
        "Infinity",
        "1000000.01",
        "1e400",
        "1e-13",
        "1e-999999999",
        "",
        "0x10",
        True,
        [],
    ],
)
def test_dollars_that_are_none_are_refused(written: object) -> None:
    """Negative, endless, too large and too fine amounts are no price."""
    with pytest.raises(ValidationError, match="expected"):
        ToolPolicy.model_validate({"usd_per_call": written})


def test_a_model_price_needs_both_directions() -> None:
    """A forgotten output price would be a free one."""
    with pytest.raises(ValidationError, match="output_usd_per_mtok"):
        ModelPrice.model_validate({"model": "m", "input_usd_per_mtok": "1"})


def test_a_price_built_in_code_takes_days() -> None:
    """`from_` is the file's `from`."""
    price = ModelPrice(
        model="m", input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2), from_=date(2026, 3, 1)
    )
    assert price.provider == "*"
    assert price.model_dump(by_alias=True)["from"] == date(2026, 3, 1)


def test_allowed_values_are_normalised_like_tags() -> None:
    """The two spellings of an accented letter are one value."""
    attribution = Attribution.model_validate({"allowed": {"team": ["cafe\u0301"]}})
    assert attribution.allowed == {"team": ("caf\u00e9",)}


def test_the_json_schema_describes_every_key() -> None:
    """The documentation of the file comes from it."""
    schema: Any = policy_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    bare: list[str] = []
    for name, section in {"Policy": schema, **definitions}.items():
        properties: dict[str, Any] = section["properties"]
        bare += [f"{name}.{key}" for key, entry in properties.items() if not entry.get("description")]
        assert section["additionalProperties"] is False
    assert bare == []
    assert set(definitions["ModelPrice"]["properties"]) >= {"from", "to", "tiers", "long_context"}
    assert "from_" not in definitions["ModelPrice"]["properties"]


def test_the_names_of_tags_load_without_pydantic() -> None:
    """A context is built on the way to a first callback, where pydantic would cost its import."""
    code = (
        "import sys, spendgraph.context, spendgraph.policy.vocabulary, spendgraph.context.threads; "
        "print(sorted({'pydantic', 'yaml', 'langchain_core', 'langgraph', 'sqlite_utils'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
