"""Properties: a context comes back from wherever it travels, and combining contexts keeps payers."""

from __future__ import annotations

import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from context.strategies import ON_A_BUSY_MACHINE, contexts
from spendgraph.context import CostContext
from spendgraph.context.names import FIELDS
from spendgraph.errors import ContextError


def _all_names(context: CostContext) -> set[str]:
    return {*FIELDS, *(f"x_{key}" for key in context.extra)}


@ON_A_BUSY_MACHINE
@given(contexts())
def test_metadata_round_trips(context: CostContext) -> None:
    """Metadata says all tags, in any script."""
    assert (CostContext.from_metadata(context.metadata()) or CostContext()) == context


@ON_A_BUSY_MACHINE
@given(contexts())
def test_mappings_round_trip_through_json_and_pickle(context: CostContext) -> None:
    """A mapping is plain data."""
    assert CostContext.from_mapping(json.loads(json.dumps(context.to_mapping()))) == context
    assert pickle.loads(pickle.dumps(context)) == context


@ON_A_BUSY_MACHINE
@given(contexts())
def test_baggage_round_trips_in_octets_that_the_specification_allows(context: CostContext) -> None:
    """A header is ASCII without blanks or quotes, and says all tags."""
    header = context.baggage()
    assert all("!" <= octet <= "~" and octet not in '"\\;' for octet in header)
    assert (CostContext.from_baggage(header, _all_names(context)) or CostContext()) == context


@ON_A_BUSY_MACHINE
@given(contexts(), contexts())
def test_baggage_among_members_of_others_round_trips(context: CostContext, other: CostContext) -> None:
    """Other vendors' members and properties are nothing to us."""
    members = (
        [f"vendor{n}=1;p=q" for n in range(30)] + context.baggage().split(",") + ["x", "=", ";;", "a=%ff"]
    )
    header = " , \t".join(members)
    assert (CostContext.from_baggage(header, _all_names(context)) or CostContext()) == context
    assert CostContext.from_baggage(header, ()) is None
    assert other.fill(context).is_empty == (other.is_empty and context.is_empty)


@ON_A_BUSY_MACHINE
@given(st.text(), st.sets(st.sampled_from([*FIELDS, "x_region", "nonsense"])))
def test_no_header_raises(header: str, trusted: set[str]) -> None:
    """What comes from outside is read or ignored."""
    CostContext.from_baggage(header, trusted)
    CostContext.from_baggage(f"spend_tenant={header},spend_x_region={header}", trusted)
    CostContext.from_baggage(f"spend_{header}=1", trusted)


@ON_A_BUSY_MACHINE
@given(st.text() | st.binary() | st.integers() | st.none())
def test_any_value_is_kept_inert_or_refused_with_our_error(value: object) -> None:
    """There is no third way."""
    try:
        context = CostContext.from_mapping({"tenant": value})
    except ContextError:
        return
    assert CostContext(tenant=context.tenant) == context


@ON_A_BUSY_MACHINE
@given(contexts(), contexts())
def test_below_never_changes_who_pays(root: CostContext, own: CostContext) -> None:
    """Whatever a run brings, every tag that was set stays, but for template and extra tags."""
    context, changed = root.below(own)
    for name in FIELDS:
        ours, theirs, kept = getattr(root, name), getattr(own, name), getattr(context, name)
        if name in {"template", "template_version"}:
            assert kept == (theirs or ours)
        elif ours or name == "task_id":
            assert kept == ours
            assert (name in changed) == bool(theirs and theirs != ours)
        else:
            assert kept == theirs


@ON_A_BUSY_MACHINE
@given(contexts(), contexts(), contexts())
def test_fill_is_associative(one: CostContext, two: CostContext, three: CostContext) -> None:
    """The order of asking decides, not the order of combining."""
    assert one.fill(two).fill(three) == one.fill(two.fill(three))


@ON_A_BUSY_MACHINE
@given(contexts(), contexts())
def test_context_ids_tell_contents_apart(one: CostContext, two: CostContext) -> None:
    """Equal content, equal id; other content, other id; the task is no content."""
    assert (one.context_id == two.context_id) == (one.replace(task_id="") == two.replace(task_id=""))
