"""The cost context: what a tag may be, and how contexts combine."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError
from enum import Enum, StrEnum

import pytest

from spendgraph.context import CostContext
from spendgraph.errors import ContextError


class Plan(str, Enum):  # noqa: UP042 - the old kind is what the test is about
    """An enum of the old kind, which prints as its name."""

    GOLD = "gold"


class Region(StrEnum):
    EU = "eu"


@pytest.mark.parametrize(
    "value",
    [
        "Robert'); DROP TABLE steps;--",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "../../etc/passwd",
        "%00%n%s",
        "{{7*7}}${jndi:ldap://x}",
        "東京 – São Paulo ☃",
        " padded ",
        "x" * 256,
    ],
)
def test_text_of_any_meaning_is_kept_verbatim(value: str) -> None:
    """SQL, HTML, formulas and paths are data."""
    context = CostContext(feature=value, extra={"note": value})
    assert context.feature == value
    assert context.extra["note"] == value
    assert CostContext.from_metadata(context.metadata()) == context


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a\x00b", "control character U+0000 at position 1"),
        ("a\nb", "control character U+000A at position 1"),
        ("\x1b[31mred", "control character U+001B at position 0"),
        ("a\x7f", "control character U+007F at position 1"),
        ("a\u0085", "control character U+0085 at position 1"),
        ("acme\u200b", "invisible format character U+200B at position 4"),
        ("\u202eemca", "invisible format character U+202E at position 0"),
        ("a\u2066b", "invisible format character U+2066 at position 1"),
        ("a\u00adb", "invisible format character U+00AD at position 1"),
        ("\ufeffacme", "invisible format character U+FEFF at position 0"),
        ("acme\U000e0041", "invisible format character U+E0041 at position 4"),
        ("acme\ufe0f", "invisible character U+FE0F at position 4"),
        ("acme\u3164", "invisible character U+3164 at position 4"),
        ("a\u2028b", "line separator U+2028 at position 1"),
        ("a\u2029b", "paragraph separator U+2029 at position 1"),
        ("a\ud800b", "lone surrogate U+D800 at position 1"),
    ],
)
def test_what_a_reader_cannot_see_is_refused(value: str, found: str) -> None:
    """Two tenants never look alike on a report, and no report is steered by a tag."""
    with pytest.raises(ContextError) as caught:
        CostContext(tenant=value)
    assert str(caught.value) == f"tag 'tenant': expected visible text, found the {found}; remove it"


@pytest.mark.parametrize("value", ["x" * 1_000_000, "\u00e9" * 1_000_000, "x" * 257])
def test_an_oversized_value_is_refused_without_being_echoed(value: str) -> None:
    """The message names the tag and the limit in a line."""
    with pytest.raises(
        ContextError, match=r"^tag 'x_note': expected at most 256 characters, found"
    ) as caught:
        CostContext(extra={"note": value})
    assert len(str(caught.value)) < 250


def test_two_spellings_of_one_letter_are_one_tenant() -> None:
    """Values are kept in Unicode's form NFC."""
    assert CostContext(tenant="cafe\u0301").tenant == "caf\u00e9"
    assert CostContext(tenant="cafe\u0301").context_id == CostContext(tenant="caf\u00e9").context_id


def test_a_value_that_grows_beyond_the_limit_in_normal_form_is_refused() -> None:
    """The limit holds for what is kept."""
    with pytest.raises(ContextError, match="at most 256 characters, found 400"):
        CostContext(tenant="\u0958" * 200)


@pytest.mark.parametrize("value", [None, 7, b"acme", ["acme"], {"a": 1}, 0, False])
def test_what_is_no_text_is_refused(value: object) -> None:
    """A number is not a tenant until somebody says how it is written."""
    with pytest.raises(ContextError, match=r"^tag 'tenant': expected a str, found"):
        CostContext.from_mapping({"tenant": value})


def test_members_of_string_enums_become_their_values() -> None:
    """Both kinds of string enum arrive as plain text."""
    context = CostContext(priority=Plan.GOLD, extra={"region": Region.EU})
    assert context.priority == "gold"
    assert type(context.priority) is str
    assert type(context.extra["region"]) is str
    assert json.dumps(context.to_mapping()) == '{"priority": "gold", "extra": {"region": "eu"}}'


def test_a_workload_class_is_one_of_four() -> None:
    """The nearest one is offered."""
    with pytest.raises(
        ContextError,
        match=r"expected one of interactive, batch, eval, background, found 'bach'; did you mean 'batch'\?",
    ):
        CostContext(workload_class="bach")


@pytest.mark.parametrize("key", ["", "Region", "1st", "re-gion", "a" * 41, "a b", "é", "_x", "a\n"])
def test_extra_keys_are_plain_names(key: str) -> None:
    """Extra keys become columns, header members and metadata keys."""
    with pytest.raises(ContextError, match="extra: expected keys of 1 to 40 lower-case letters"):
        CostContext(extra={key: "x"})


def test_seventeen_extra_tags_are_one_too_many() -> None:
    """The map is small."""
    assert len(CostContext(extra={f"k{n}": "v" for n in range(16)}).extra) == 16
    with pytest.raises(ContextError, match="extra: expected at most 16 tags, found 17"):
        CostContext(extra={f"k{n}": "v" for n in range(17)})


def test_extra_must_be_a_mapping() -> None:
    """A list of pairs is no mapping."""
    with pytest.raises(ContextError, match="extra: expected a mapping of str to str, found list"):
        CostContext.from_mapping({"extra": [("a", "b")]})


def test_a_context_cannot_be_changed() -> None:
    """Neither its tags, nor its extra tags, nor through the mapping it was built from."""
    source = {"region": "eu"}
    context = CostContext(tenant="acme", extra=source)
    source["region"] = "us"
    assert context.extra == {"region": "eu"}
    with pytest.raises(FrozenInstanceError):
        context.tenant = "evil"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        context.extra["region"] = "us"  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def test_a_context_survives_pickle_copy_and_hashing() -> None:
    """It goes to worker processes and into sets."""
    context = CostContext(tenant="acme", task_id="t1", extra={"region": "eu"})
    assert pickle.loads(pickle.dumps(context)) == context
    assert copy.deepcopy(context) == context
    assert len({context, copy.copy(context), CostContext(tenant="acme")}) == 2


def test_metadata_is_flat_and_prefixed() -> None:
    """Unset tags are absent."""
    context = CostContext(feature="triage", user="u1", task_id="t1", extra={"region": "eu"})
    assert context.metadata() == {
        "spend_feature": "triage",
        "spend_user": "u1",
        "spend_task_id": "t1",
        "spend_x_region": "eu",
    }


def test_metadata_of_the_host_says_nothing() -> None:
    """Without a `spend_` key there is no context, whatever else is there."""
    assert CostContext.from_metadata({}) is None
    assert CostContext.from_metadata({"user": "u1", "thread_id": 4, "suspend_tenant": "x"}) is None
    assert CostContext.from_metadata({1: "x", ("a",): "y"}) is None  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    assert CostContext.from_metadata({1: "x", "spend_team": "y"}) == CostContext(team="y")  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]


def test_an_unknown_metadata_key_of_ours_is_an_error() -> None:
    """A typing error must not turn a tenant's calls into unattributed ones unseen."""
    with pytest.raises(
        ContextError, match=r"unknown metadata key 'spend_tennant': .*did you mean 'spend_tenant'\?$"
    ):
        CostContext.from_metadata({"spend_tennant": "acme"})


def test_parent_run_id_is_an_alias_of_task_id() -> None:
    """The name that others use for the task's id is read, in mappings and in metadata."""
    assert CostContext.from_mapping({"parent_run_id": "t1"}).task_id == "t1"
    assert CostContext.from_metadata({"spend_parent_run_id": "t1"}) == CostContext(task_id="t1")
    assert CostContext().replace(parent_run_id="t1").task_id == "t1"
    with pytest.raises(ContextError, match="tag 'task_id' is given twice"):
        CostContext.from_mapping({"parent_run_id": "t1", "task_id": "t2"})


def test_an_unknown_name_in_a_mapping_is_an_error() -> None:
    """The names that exist are listed, the nearest is offered."""
    with pytest.raises(ContextError, match=r"unknown tag 'cost_centre': .*did you mean 'cost_center'\?$"):
        CostContext.from_mapping({"cost_centre": "42"})


def test_replace_sets_and_unsets() -> None:
    """Other tags stay; the original does, too."""
    context = CostContext(feature="triage", tenant="acme")
    assert context.replace(tenant="globex", user="u") == CostContext(
        feature="triage", tenant="globex", user="u"
    )
    assert context.replace(tenant="") == CostContext(feature="triage")
    assert context == CostContext(feature="triage", tenant="acme")


def test_empty_is_who_says_nothing_about_the_payer() -> None:
    """A task's id names no payer; one extra tag does."""
    assert CostContext().is_empty
    assert CostContext(task_id="t1").is_empty
    assert not CostContext(priority="low").is_empty
    assert not CostContext(extra={"region": "eu"}).is_empty
    assert CostContext(extra={"region": ""}).is_empty


def test_the_context_id_is_of_the_content_without_the_task() -> None:
    """Two tasks of one payer share a row of the ledger; the value is pinned, because ledgers keep it."""
    one = CostContext(feature="triage", task_id="t1", extra={"b": "2", "a": "1"})
    two = CostContext(feature="triage", task_id="t2", extra={"a": "1", "b": "2"})
    assert one.context_id == two.context_id == "b94bbdb7863f7b0d8db0f2b64c6c45ea"
    assert one.context_id != CostContext(feature="triage", extra={"a": "1"}).context_id
    assert CostContext(feature="a", team="b").context_id != CostContext(feature="b", team="a").context_id


def test_extra_json_is_canonical() -> None:
    """Equal maps are equal text, in ASCII."""
    assert CostContext(extra={"b": "é", "a": "1"}).extra_json == '{"a":"1","b":"\\u00e9"}'
    assert CostContext().extra_json == "{}"


def test_fill_takes_only_what_is_unset() -> None:
    """The first context's tags win, extra tags included."""
    ours = CostContext(tenant="acme", extra={"region": "eu"})
    theirs = CostContext(tenant="evil", team="support", task_id="t1", extra={"region": "us", "rack": "7"})
    assert ours.fill(theirs) == CostContext(
        tenant="acme", team="support", task_id="t1", extra={"region": "eu", "rack": "7"}
    )
    assert ours.fill(CostContext()) is ours


def test_below_a_root_a_run_fills_but_never_changes_who_pays() -> None:
    """Template and extra tags are set, the rest of what is set stays and the attempt is named."""
    root = CostContext(tenant="acme", environment="production", template="root", extra={"region": "eu"})
    own = CostContext(
        tenant="evil", team="search", environment="production", template="rag", template_version="3",
        task_id="forged", extra={"region": "us", "rack": "7"},
    )  # fmt: skip
    context, changed = root.below(own)
    assert context == CostContext(
        tenant="acme",
        team="search",
        environment="production",
        template="rag",
        template_version="3",
        extra={"region": "us", "rack": "7"},
    )
    assert changed == ("tenant", "task_id")


def test_below_with_the_same_tags_nothing_happens() -> None:
    """LangChain hands a root's metadata down to every run: no attempt, no copy."""
    root = CostContext(tenant="acme", task_id="t1", extra={"region": "eu"})
    assert root.below(root.replace())[0] is root
    assert root.below(root.replace())[1] == ()
    assert root.below(CostContext(tenant="acme"))[0] is root


def test_a_flood_of_extra_tags_from_below_pushes_none_out() -> None:
    """Ours stay, what does not fit is named."""
    root = CostContext(extra={f"a{n}": "v" for n in range(15)})
    context, changed = root.below(CostContext(extra={f"b{n}": "v" for n in range(3)}))
    assert set(context.extra) == {*root.extra, "b0"}
    assert changed == ("x_b1", "x_b2")
    assert len(root.fill(CostContext(extra={f"b{n}": "v" for n in range(3)})).extra) == 16
