"""The W3C `baggage` header: what is written, what is read, what is ignored."""

from __future__ import annotations

import pytest

from spendgraph.context import CostContext
from spendgraph.errors import ContextError


def test_the_header_is_percent_encoded() -> None:
    """Blanks, quotes, separators and other scripts are escaped as the specification asks."""
    context = CostContext(feature='a b,c;d="e"\\%', tenant="Zoë", extra={"region": "eu"})
    assert context.baggage() == (
        "spend_feature=a%20b%2Cc%3Bd%3D%22e%22%5C%25,spend_tenant=Zo%C3%AB,spend_x_region=eu"
    )
    assert CostContext().baggage() == ""


def test_only_trusted_tags_are_taken() -> None:
    """A caller may not name whatever payer it likes."""
    header = "spend_tenant=evil,spend_feature=search,spend_task_id=t1,spend_x_region=eu"
    assert CostContext.from_baggage(header, ("feature", "task_id")) == CostContext(
        feature="search", task_id="t1"
    )
    assert CostContext.from_baggage(header, ["x_region"]) == CostContext(extra={"region": "eu"})
    assert CostContext.from_baggage(header, ()) is None
    assert CostContext.from_baggage(header, "tenant_or_more") is None


@pytest.mark.parametrize(
    "header",
    [
        "spend_tenant = acme ; ttl=5;sampled , vendor=1",
        "userId=alice,spend_tenant=acme,isProduction=false",
        "spend_tenant=%61cme",
        "spend_tenant=first,spend_tenant=acme",
        "\tspend_tenant=acme\t",
        ",,;=,spend_tenant=acme,spend_team,spend_team=,=x",
    ],
)
def test_foreign_members_blanks_and_properties_do_not_matter(header: str) -> None:
    """The tenant is read, of two the last, and nothing else."""
    assert CostContext.from_baggage(header, {"tenant", "team"}) == CostContext(tenant="acme")


@pytest.mark.parametrize(
    "member",
    [
        "spend_tenant=%ff",
        "spend_tenant=%zz",
        "spend_tenant=%",
        "spend_tenant=a%00b",
        "spend_tenant=a%E2%80%AEb",
        "spend_tenant=" + "x" * 257,
        "spend_workload_class=urgent",
        "spend_x_Region=eu",
        "spend_nonsense=1",
        "SPEND_tenant=acme",
    ],
)
def test_malformed_and_unacceptable_members_are_ignored(member: str) -> None:
    """A bad member takes nothing else with it."""
    trusted = {"tenant", "team", "workload_class", "x_Region", "nonsense"}
    assert CostContext.from_baggage(f"{member},spend_team=a", trusted) == CostContext(team="a")


def test_parent_run_id_is_read_as_the_task() -> None:
    """The alias is known here, too."""
    assert CostContext.from_baggage("spend_parent_run_id=t1", {"task_id"}) == CostContext(task_id="t1")


def test_a_header_full_of_members_is_read() -> None:
    """More than the 64 members that a hop must carry are no obstacle."""
    header = ",".join([f"v{n}=1" for n in range(500)] + ["spend_tenant=acme"])
    assert CostContext.from_baggage(header, {"tenant"}) == CostContext(tenant="acme")


def test_what_stands_behind_8192_bytes_is_not_read() -> None:
    """Whole members within the limit count; a member cut in two would be another tenant."""
    header = "v=" + "x" * 8170 + ",spend_tenant=acme-and-more"
    assert CostContext.from_baggage("spend_team=a," + header, {"tenant", "team"}) == CostContext(team="a")
    exact = "spend_tenant=acme,v=" + "x" * 8172
    assert len(exact) == 8192
    assert CostContext.from_baggage(exact, {"tenant"}) == CostContext(tenant="acme")
    assert CostContext.from_baggage("x" * 1_000_000, {"tenant"}) is None


def test_a_seventeenth_extra_tag_is_ignored() -> None:
    """A header cannot make a context too large to build."""
    header = ",".join(f"spend_x_k{n}=v" for n in range(20))
    context = CostContext.from_baggage(header, {f"x_k{n}" for n in range(20)})
    assert context == CostContext(extra={f"k{n}": "v" for n in range(16)})


def test_tags_that_do_not_fit_a_header_are_an_error() -> None:
    """Leaving a tag out would charge somebody else; the message names the longest."""
    context = CostContext(extra={f"k{n}": "東" * 250 for n in range(4)})
    with pytest.raises(
        ContextError, match=r"^baggage: expected at most 8,192 bytes, found 9,047; the longest is"
    ):
        context.baggage()
