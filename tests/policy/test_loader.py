"""What a policy file with an error is told: file, line, what was expected, what was found."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from spendgraph.errors import PolicyError
from spendgraph.policy import STARTER_POLICY, Policy, load_policy, parse_policy

WHOLE = """\
version: 1
attribution:
  required: [feature, team, x_region]
  allowed: {environment: [production, staging, eval], workload_class: batch}
  rules:
    - when: {environment: production, tenant: [acme, globex]}
      require: [cost_center]
      message: Production runs require a cost_center tag.
  on_missing: block
  trust_metadata: NO
  trust_baggage: [tenant, task_id]
  users: hashed
  granularity: step
owners:
  - {kind: retriever, name: "kb*", team: search}
  - {node: planner, team: NO}
prices:
  unpriced: block
  models:
    - provider: openai
      model: "my-llama-*"
      input_usd_per_mtok: 0.20
      output_usd_per_mtok: 1e3
      tiers: {flex: {input_usd_per_mtok: "0.10"}}
      long_context: {above_tokens: 200_000, input_usd_per_mtok: "0.40"}
      from: 2026-01-01
      to: 2026-02-01
tools:
  web_search: {owner: search-platform, usd_per_call: "0.005"}
  01: {usd_per_unit: "0.0015", unit: page}
"""


def test_a_whole_policy_file_becomes_a_policy(tmp_path: Path) -> None:
    """Every section of the file arrives under its attribute."""
    path = tmp_path / "spendgraph.yaml"
    path.write_text(WHOLE)
    policy = load_policy(path)
    assert policy.attribution.required == ("feature", "team", "x_region")
    assert policy.attribution.allowed == {
        "environment": ("production", "staging", "eval"),
        "workload_class": ("batch",),
    }
    assert policy.attribution.rules[0].when == {"environment": ("production",), "tenant": ("acme", "globex")}
    assert policy.attribution.rules[0].require == ("cost_center",)
    assert policy.attribution.on_missing == "block"
    assert policy.attribution.trust_metadata is False
    assert policy.attribution.trust_baggage == ("tenant", "task_id")
    assert policy.attribution.users == "hashed"
    assert [(rule.kind, rule.name, rule.node) for rule in policy.owners] == [
        ("retriever", "kb*", None),
        (None, None, "planner"),
    ]
    price = policy.prices.models[0]
    assert (price.input_usd_per_mtok, price.output_usd_per_mtok) == (Decimal("0.20"), Decimal(1000))
    assert price.tiers["flex"].input_usd_per_mtok == Decimal("0.10")
    assert price.long_context is not None
    assert price.long_context.above_tokens == 200000
    assert (price.from_, price.to) == (date(2026, 1, 1), date(2026, 2, 1))
    assert policy.tools["web_search"].usd_per_call == Decimal("0.005")


def test_scalars_stay_the_text_that_was_written() -> None:
    """`NO` is a team and `01` a tool, not a boolean and an octal number."""
    policy = parse_policy(WHOLE)
    assert policy.owners[1].team == "NO"
    assert list(policy.tools) == ["web_search", "01"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "attribution:\nowners:\ntools:\n"])
def test_an_empty_policy_file_is_the_default_policy(text: str) -> None:
    """A file whose lines are all commented out requires nothing and records everything."""
    assert parse_policy(text) == Policy()


def test_the_starter_policy_refuses_nothing_but_a_runaway() -> None:
    """What `init` writes records before it blocks; its only breaker is of velocity."""
    policy = parse_policy(STARTER_POLICY)
    assert policy.attribution.required == ("feature", "team", "tenant", "workload_class", "environment")
    assert policy.attribution.on_missing == "record"
    assert policy.prices.unpriced == "record"
    assert (policy.budgets, [breaker.name for breaker in policy.breakers]) == ((), ["velocity"])


def test_every_example_in_the_starter_policy_counts_once_uncommented() -> None:
    """Taking the `#` away from the examples gives a valid policy with all of them."""
    policy = parse_policy(re.sub(r"(?m)^#(?=  )", "", STARTER_POLICY))
    assert policy.attribution.allowed == {"environment": ("production", "staging", "eval")}
    assert policy.attribution.rules[0].require == ("cost_center",)
    assert [rule.team for rule in policy.owners] == ["search", "agent-framework"]
    assert policy.prices.models[0].model == "my-llama-*"
    assert list(policy.tools) == ["web_search", "ocr", "billing-mcp/*"]
    assert [budget.name for budget in policy.budgets] == ["tenant ceiling", "single call"]
    assert [threshold.do[0] for threshold in policy.budgets[0].thresholds] == [
        "notify",
        "degrade",
        "acknowledge",
        "approve",
    ]
    assert policy.budgets[0].approvers == ("lead@example.com",)
    assert len(policy.breakers) == 5
    assert [(cut.name, cut.breaker, cut.suspend) for cut in policy.watch.cuts] == [
        ("tenants", "suspended", True)
    ]
    assert [mapping.set_ for mapping in policy.mappings] == [{"team": "sales", "cost_center": "cc-200"}]
    assert [[str(part.share) for part in split.into] for split in policy.splits] == [["0.6", "0.4"]]
    assert list(policy.notify) == ["growth", "team-lead"]
    assert policy.on_ledger_error == {"production": "block", "eval": "allow"}
    assert set(Policy.model_fields) - policy.model_fields_set == {"on_swallowed", "loop_wait_ms"}
    assert not [line for line in STARTER_POLICY.splitlines() if line.startswith("##")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("version: 2\n", 1, "version: expected '1', found '2'"),
        (
            "version: 1\nalerts: []\n",
            2,
            "unknown key 'alerts': expected one of version, attribution, owners, prices, tools, budgets, breakers, watch, mappings, splits, notify, on_ledger_error, approvals, estimates, on_swallowed, loop_wait_ms",
        ),
        (
            "atribution: {}\n",
            1,
            (
                "unknown key 'atribution': expected one of version, attribution, owners, prices, tools, budgets, breakers, "
                "watch, mappings, splits, notify, on_ledger_error, approvals, estimates, on_swallowed, loop_wait_ms; "
                "did you mean 'attribution'?"
            ),
        ),
        (
            "attribution:\n  on_missing: blok\n",
            2,
            "attribution.on_missing: expected 'block' or 'record', found 'blok'; did you mean 'block'?",
        ),
        (
            "attribution:\n  granularity: task\n",
            2,
            "attribution.granularity: expected 'step', found 'task'",
        ),
        (
            "attribution:\n  trust_metadata: maybe\n",
            2,
            "attribution.trust_metadata: expected true or false, found 'maybe'",
        ),
        (
            "attribution:\n  required: {a: b}\n",
            2,
            "attribution.required: expected a list, found a mapping",
        ),
        (
            "attribution:\n  allowed:\n    workload_class: [batsh]\n",
            3,
            (
                "attribution.allowed: tag 'workload_class': expected one of interactive, batch, eval, background, "
                "found 'batsh'; did you mean 'batch'?"
            ),
        ),
        (
            "attribution:\n  rules:\n    - message: x\n      require: [team]\n",
            3,
            "attribution.rules[0]: expected the key 'when', found none",
        ),
        (
            "attribution:\n  rules:\n    - when: {tenant: a}\n      require: []\n",
            4,
            "attribution.rules[0].require: expected at least 1 entry, found none",
        ),
        ("tools: [a]\n", 1, "tools: expected a mapping, found a list"),
        (
            "tools:\n  ocr:\n    usd_per_unit: '1'\n",
            3,
            "tools.ocr: expected `unit` beside `usd_per_unit`: say what is counted, such as page",
        ),
        (
            "prices:\n  models:\n    - model: m\n      input_usd_per_mtok: cheap\n      output_usd_per_mtok: 1\n",
            4,
            "prices.models[0].input_usd_per_mtok: expected dollars such as '0.25', found 'cheap'",
        ),
        (
            (
                "prices:\n  models:\n    - model: m\n      input_usd_per_mtok: 1\n      output_usd_per_mtok: 1\n"
                "      from: 1767225600\n"
            ),
            6,
            "prices.models[0].from: expected a day such as 2026-01-31, found '1767225600'",
        ),
        (
            (
                "prices:\n  models:\n    - {model: m, input_usd_per_mtok: 1, output_usd_per_mtok: 1,\n"
                "       from: 2026-02-01, to: 2026-02-01}\n"
            ),
            3,
            "prices.models[0]: expected `from` before `to`, found 2026-02-01 and 2026-02-01",
        ),
        (
            (
                "prices:\n  models:\n    - {model: m, input_usd_per_mtok: 1, output_usd_per_mtok: 1,\n"
                "       long_context: {above_tokens: 1.5}}\n"
            ),
            4,
            "prices.models[0].long_context.above_tokens: expected a whole number above 0, found '1.5'",
        ),
        ("tools:\n  a: {}\n  b: {}\n  a: {}\n", 4, "duplicate key 'a': it stands on line 2 too"),
        ("tools:\n  a: !!python/object:os.system {}\n", 2, "expected a plain value, found the YAML tag"),
        ("tools:\n  <<: {a: {}}\n", 2, "expected a key, found the merge key '<<': write the keys out"),
        ("tools:\n  ? [a, b]\n  : {}\n", 2, "expected text as a key, found a list or a mapping"),
        ("- a\n- b\n", 1, "expected a mapping, found a list"),
        ("just text\n", 1, "expected a mapping, found 'just text'"),
    ],
)
def test_an_error_names_file_line_expectation_and_finding(text: str, line: int, message: str) -> None:
    """The message starts with `file:line:` and the attributes carry both."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, path="team.yaml")
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"team.yaml:{line}: {message}")
    assert (caught.value.path, caught.value.line) == ("team.yaml", line)


def test_an_unknown_tag_gets_the_nearest_name() -> None:
    """A typing error in a tag's name does not become a tag."""
    with pytest.raises(
        PolicyError, match=r"^<policy>:2: attribution.required\[1\]: unknown tag 'tennant': .*'tenant'\?$"
    ):
        parse_policy("attribution:\n  required: [feature, tennant]\n")


def test_all_errors_are_reported_the_first_line_first() -> None:
    """One run shows everything wrong, in the order of the file, pydantic's findings and YAML's alike."""
    text = "tools:\n  a: {usd_per_call: -1}\nowners:\n  - {}\nversion: 3\nversion: 1\n"
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, path="p")
    assert str(caught.value).splitlines() == [
        "p:2: tools.a.usd_per_call: expected dollars from 0 to 1,000,000, found '-1'",
        "p:4: owners[0]: expected the key 'team', found none",
        "p:5: version: expected '1', found '3'",
        "p:6: duplicate key 'version': it stands on line 5 too",
    ]


def test_a_flood_of_errors_is_cut() -> None:
    """The message lists twenty problems and says how many more there are."""
    text = "owners:\n" + "  - {}\n" * 50
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 30 more"


def test_a_long_value_is_not_echoed() -> None:
    """A megabyte in the file is no megabyte in the message."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(f"attribution: {{on_missing: {'x' * 500_000}}}")
    assert len(str(caught.value)) < 300


def test_anchors_and_aliases_are_followed() -> None:
    """A value may be written once and used twice."""
    policy = parse_policy(
        "attribution:\n  required: &tags [team, tenant]\n"
        "  rules: [{when: {environment: production}, require: *tags}]\n"
    )
    assert policy.attribution.rules[0].require == ("team", "tenant")


def test_an_error_behind_an_alias_names_the_line_of_the_anchor() -> None:
    """The offending text is where it was written."""
    with pytest.raises(PolicyError, match=r"^<policy>:2: attribution"):
        parse_policy(
            "attribution:\n  trust_baggage: &tags [task_id]\n"
            "  rules: [{when: {environment: production}, require: *tags}]\n"
        )


def test_a_billion_laughs_end_at_once() -> None:
    """Nested aliases that stand for 10^9 values are refused, not expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(PolicyError, match=r"expected at most 20,000 values, aliases followed"):
        parse_policy("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tools: &a [*a]\n", "found an alias inside the value that it stands for"),
        ("[" * 40 + "]" * 40, "expected at most 32 levels of nesting"),
        ("[" * 500_000, "expected at most 32 levels of nesting"),
        ("owners: [" + "a," * 30_000 + "]", "expected at most 20,000 values"),
        ("a: [1\n", "expected valid YAML: "),
        ("a: *nobody\n", "expected valid YAML: found undefined alias"),
        ("a: b\n---\nc: d\n", "expected valid YAML: but found another document"),
        ("a: b\nc: \x07\n", "expected text, found the character U+0007"),
        ("a: " + "x" * 1_000_001, "expected at most 1,000,000 bytes, found more"),
    ],
)
def test_what_is_no_policy_at_all_is_a_policy_error(text: str, message: str) -> None:
    """Broken, recursive, bottomless and oversized documents end in the same kind of error."""
    with pytest.raises(PolicyError, match=re.escape(message)):
        parse_policy(text)


def test_a_missing_file_is_a_policy_error_that_names_it(tmp_path: Path) -> None:
    """Nothing runs on a policy that could not be read."""
    path = tmp_path / "absent.yaml"
    with pytest.raises(PolicyError, match=r"absent\.yaml: the policy file cannot be read: No such file"):
        load_policy(path)


def test_a_folder_is_a_policy_error(tmp_path: Path) -> None:
    """A path that is no file says so."""
    with pytest.raises(PolicyError, match="the policy file cannot be read"):
        load_policy(tmp_path)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    """Latin-1 is found where it starts."""
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"version: 1\ntools: {caf\xe9: {}}\n")
    with pytest.raises(PolicyError, match=r"latin\.yaml:2: expected UTF-8 text"):
        load_policy(path)


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    """Files saved by Windows editors load."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfversion: 1\n")
    assert load_policy(path) == Policy()


def test_an_oversized_file_is_refused(tmp_path: Path) -> None:
    """No more than a megabyte is read."""
    path = tmp_path / "big.yaml"
    path.write_bytes(b"# " + b"x" * 1_000_000)
    with pytest.raises(PolicyError, match="expected at most 1,000,000 bytes"):
        load_policy(path)
