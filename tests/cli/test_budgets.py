"""`spendgraph budgets`: where every window stands."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from cli.kit import Cli, Said
from scripted import PRICES, STEP_NANOUSD, ScriptedModel
from spendgraph import BudgetExceeded, CostContext, Meter
from spendgraph.cli.budgets import status
from spendgraph.policy import load_policy, parse_policy

POLICY = """
budgets:
  - {name: tenants, owner: growth, signed_off: {by: cfo, on: 2026-10-01}, per: tenant, period: month, limit_usd: 1}
  - {name: "=cmd", limit_calls: 10}
"""


def test_a_table_of_what_is_spent_and_left(cli: Cli, tmp_path: Path) -> None:
    """Every open window is a row; what nobody signed off says so."""
    with Meter(tmp_path / "b.db", policy=parse_policy(PRICES + POLICY)) as meter:
        ScriptedModel().invoke("hi", meter.config(CostContext(tenant="acme")))
    said = cli("budgets", "--ledger", "b.db")
    assert said.code == 0
    lines = [line for line in said.out.splitlines() if "acme" in line or "=cmd" in line]
    assert "$1.00" in lines[1]
    assert "$0.00002" in lines[1]
    assert "*" not in lines[1]
    assert " ".join(lines[0].split()) == "=cmd all never 10 calls 0 calls 1 call 0 calls 9 calls nobody *"
    assert said.out.splitlines()[-1] == "* not signed off"
    rows = cli("budgets", "--json", "--ledger", "b.db").json
    assert [(row["budget"], row["scope"]) for row in rows] == [("=cmd", ""), ("tenants", "tenant=acme")]
    assert rows[1]["spent_nanousd"] == STEP_NANOUSD
    assert rows[1]["left_nanousd"] == 10**9 - STEP_NANOUSD


def test_a_ledger_without_budgets_says_so(cli: Cli, books: Path) -> None:
    """It is no error."""
    said = cli("budgets", "--ledger", books)
    assert (said.code, "No budget is known" in said.out) == (0, True)


def test_half_of_the_room_in_a_quarter_of_the_window_is_twice_the_pace() -> None:
    """And is exhausted in the middle of it."""
    row = {
        "budget": "b", "scope": "", "owner": "", "signed_off_by": "", "period": "day", "unit": "nanousd",
        "limit_amount": 80, "granted": 20, "granted_to_tasks": 0, "drawn_by_tasks": 0, "spent_nanousd": 50,
        "held_nanousd": 10, "start_us": 10**15, "end_us": 10**15 + 4 * 10**9,
    }  # fmt: skip
    found = status(row, 10**15 + 10**9)
    assert (found["pace"], found["left_nanousd"]) == (2.0, 40)
    assert found["exhausted"] == "2001-09-09T02:20:00Z"


def test_budgets_that_were_never_used_are_listed_and_unsigned_ones_flagged(cli: Cli, tmp_path: Path) -> None:
    """Those that a meter has brought into the ledger, and those that only stand in the policy file."""
    Meter(tmp_path / "b.db", policy=parse_policy(PRICES + POLICY)).close()
    rows = cli("budgets", "--json", "--ledger", "b.db").json
    assert [(row["budget"], row["used"], row["scope"]) for row in rows] == [
        ("=cmd", False, ""),
        ("tenants", False, ""),
    ]
    assert (rows[1]["limit_nanousd"], rows[1]["spent_nanousd"], rows[1]["left_nanousd"]) == (10**9, 0, 10**9)
    assert rows[0]["pace"] is None
    (tmp_path / "spendgraph.yaml").write_text("budgets: [{name: declared, limit_usd: 2, period: day}]")
    lines = cli("budgets", "--ledger", "b.db").out.splitlines()
    assert len(lines) == 3  # what the policy has dropped is not in force
    assert " ".join(lines[1].split()) == ("declared not used day $2.00 $0.00 $0.00 $0.00 $2.00 nobody *")


def test_without_a_ledger_the_policys_budgets_are_not_used(cli: Cli, tmp_path: Path) -> None:
    """Nothing is made; without a policy, too, there is nothing to show."""
    assert (cli("budgets").code, list(tmp_path.iterdir())) == (1, [])
    (tmp_path / "spendgraph.yaml").write_text(
        "budgets: [{name: day, limit_usd: 2, period: day}, {name: single, per: call, limit_usd: '0.05'}]"
    )
    said = cli("budgets")
    assert (said.code, said.err) == (0, "")
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[1:3] == [
        "day not used day $2.00 $0.00 $0.00 $0.00 $2.00 nobody *",
        "single each call - $0.05 - - - - nobody *",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["spendgraph.yaml"]


def test_a_limit_on_each_call_has_nothing_spent_or_left(cli: Cli, tmp_path: Path) -> None:
    """In the ledger alone, too."""
    policy = parse_policy(PRICES + "budgets: [{name: single, per: call, limit_usd: 1}]")
    with Meter(tmp_path / "b.db", policy=policy) as meter:
        ScriptedModel().invoke("hi", meter.config(CostContext(tenant="acme")))
    (row,) = cli("budgets", "--json", "--ledger", "b.db").json
    assert (row["each_call"], row["limit_nanousd"]) == (True, 10**9)
    assert [row[f"{word}_nanousd"] for word in ("granted", "spent", "held", "left")] == [None] * 4
    assert "each call" in cli("budgets", "--ledger", "b.db").out


def test_one_budget_is_listed_once_for_each_scope_and_not_as_unused(cli: Cli, tmp_path: Path) -> None:
    """Used by two tenants; the other budget by nobody."""
    policy = parse_policy(
        f"{PRICES}budgets: [{{name: z, per: tenant, limit_usd: 1}}, {{name: a, match: {{user: u}}, limit_usd: 1}}]"
    )
    with Meter(tmp_path / "b.db", policy=policy) as meter:
        for tenant in ("acme", "globex"):
            ScriptedModel().invoke("hi", meter.config(CostContext(tenant=tenant)))
    rows = cli("budgets", "--json", "--ledger", "b.db").json
    assert [(row["budget"], row["scope"], row["used"]) for row in rows] == [
        ("a", "", False),
        ("z", "tenant=acme", True),
        ("z", "tenant=globex", True),
    ]


def raised(cli: Cli, *options: str) -> Said:
    """`budgets raise` on b.db."""
    return cli("budgets", "raise", "tenants", "--ledger", "b.db", *options)


def test_raising_gives_room_in_the_window_that_is_open(cli: Cli, tmp_path: Path) -> None:
    """The next call goes out; the limit stays; who and why are kept."""
    policy = parse_policy(PRICES + POLICY.replace("limit_usd: 1", "limit_usd: '0.00201'"))
    acme, model = CostContext(tenant="acme"), ScriptedModel()
    because = ("--scope", "tenant=acme", "--by", "lead", "--why", "month end")
    with Meter(tmp_path / "b.db", policy=policy) as meter:
        bound = model.bind(max_tokens=900)
        bound.invoke("hi", meter.config(acme))
        second = model.bind(max_tokens=1000)
        with pytest.raises(BudgetExceeded):
            second.invoke("hi", meter.config(acme))
        said = raised(cli, "--amount", "0.01", *because)
        assert (said.code, said.out) == (0, "tenants has $0.01 more in this window, by lead.\n")
        second.invoke("hi", meter.config(acme))
    row = cli("budgets", "--json", "--ledger", "b.db").json[1]
    assert (row["limit_nanousd"], row["granted_nanousd"]) == (2_010_000, 10_000_000)
    assert row["left_nanousd"] == 2_010_000 + 10_000_000 - 2 * STEP_NANOUSD
    assert raised(cli, "--amount", "0.5", *because, "--json").json == {
        "budget": "tenants",
        "scope": "tenant=acme",
        "unit": "nanousd",
        "more_nanousd": 500_000_000,
        "by": "lead",
        "why": "month end",
    }


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--amount", "0"), 2, "expected --amount above 0 such as 5 or 0.25, found '0'"),
        (("--amount", "five"), 2, "expected --amount above 0 such as 5 or 0.25, found 'five'"),
        (("--amount", "5", "--why", " "), 2, "expected --by and --why"),
        (("--amount", "5", "--scope", "tenant=nobody"), 1, "tenants"),
    ],
)
def test_raising_what_cannot_be_raised_is_one_clear_line(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], code: int, said: str
) -> None:
    """Nothing is granted."""
    Meter(tmp_path / "b.db", policy=parse_policy(PRICES + POLICY)).close()
    found = raised(cli, "--by", "lead", "--why", "because", *options)
    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert found.err.count("\n") == 1


FILE = """\
# Ours.
version: 1   # the first
budgets:     # what may be spent

  # tenants first
  - name: tenants
    limit_usd: "1"   # a dollar
    thresholds:
      - {at: 50%, do: [notify]}   # half
  # and nothing else yet
prices:
  unpriced: block
"""

ADD = ("budgets", "add", "new one", "--limit-usd", "500")
LINES = ("name: new one", 'limit_usd: "500"')


def test_a_budget_is_added_behind_the_last_and_everything_else_stays(cli: Cli, tmp_path: Path) -> None:
    """Every option; comments, order and permissions stay byte for byte."""
    path = tmp_path / "spendgraph.yaml"
    path.write_text(FILE)
    path.chmod(0o640)
    said = cli(
        *ADD, "--per", "tenant", "--period", "month", "--timezone", "Europe/Berlin", "--owner", "growth: EU",
        "--match", "environment=production", "--match", "feature=a", "--match", "feature=b", "--reserve", "strict",
    )  # fmt: skip
    assert (said.code, said.err) == (0, "")
    assert "line 10" in said.out
    before, after = FILE.split("  # and nothing")
    added = """\
  - name: new one
    owner: "growth: EU"
    match: {environment: production, feature: [a, b]}
    per: [tenant]
    period: month
    timezone: Europe/Berlin
    limit_usd: "500"
    reserve: strict
"""
    assert path.read_text() == f"{before}{added}  # and nothing{after}"
    assert path.stat().st_mode & 0o777 == 0o640
    budget = load_policy(path).budgets[1]
    assert (budget.match["feature"], budget.per, budget.limit) == (("a", "b"), ("tenant",), 500 * 10**9)
    assert list(tmp_path.iterdir()) == [path]


PLACES = {
    "no key": ("version: 1\n", "version: 1\nbudgets:\n  - {0}\n    {1}\n"),
    "no line end": ("version: 1", "version: 1\nbudgets:\n  - {0}\n    {1}\n"),
    "empty": ("", "budgets:\n  - {0}\n    {1}\n"),
    "comments": ("# none\n", "# none\nbudgets:\n  - {0}\n    {1}\n"),
    "an empty key": (
        "budgets: # none\n#  - old\nnotify:\n",
        "budgets: # none\n  - {0}\n    {1}\n#  - old\nnotify:\n",
    ),
    "an empty list": ("budgets: [] # none\n", "budgets: [{{{0}, {1}}}] # none\n"),
    "a list in a line": (
        "budgets: [{name: a, limit_usd: 1}, ] # one\n",
        "budgets: [{name: a, limit_usd: 1}, {{{0}, {1}}}, ] # one\n",
    ),
    "all in a line": (
        "{budgets: [{name: a, limit_usd: 1}]}",
        "{budgets: [{name: a, limit_usd: 1}, {{{0}, {1}}}]}",
    ),
    "no indentation": (
        "budgets:\n- limit_usd: 1\n  name: >-\n    a\n    b\n\nnotify: {}\n",
        "budgets:\n- limit_usd: 1\n  name: >-\n    a\n    b\n\n- {0}\n  {1}\nnotify: {}\n",
    ),
    "at the end": (
        "budgets:\n    - {name: a, limit_usd: 1}",
        "budgets:\n    - {name: a, limit_usd: 1}\n    - {0}\n      {1}\n",
    ),
    "a mark at the end": ("version: 1\n...\n", "version: 1\nbudgets:\n  - {0}\n    {1}\n...\n"),
    "line ends of another system": (
        "budgets:\r\n  - name: a\r\n    limit_usd: 1\r\n",
        "budgets:\r\n  - name: a\r\n    limit_usd: 1\r\n  - {0}\r\n    {1}\r\n",
    ),
    "a byte order mark": ("\ufeffversion: 1\n", "\ufeffversion: 1\nbudgets:\n  - {0}\n    {1}\n"),
}


@pytest.mark.parametrize("where", PLACES)
def test_a_budget_finds_its_place(cli: Cli, tmp_path: Path, where: str) -> None:
    """However the file is written."""
    before, after = PLACES[where]
    path = tmp_path / "spendgraph.yaml"
    path.write_bytes(before.encode())
    assert cli(*ADD).code == 0
    for number, line in enumerate(LINES):
        after = after.replace(f"{{{{{{{number}}}", f"{{{line}").replace(f"{{{number}}}}}}}", f"{line}}}")
        after = after.replace(f"{{{number}}}", line)
    assert path.read_bytes() == after.encode()
    assert load_policy(path).budgets[-1].name == "new one"


WRONG = {
    "a name that is taken": (
        ("add", "tenants", "--limit-usd", "5"),
        "expected a name of its own for the budget, found 'tenants'",
    ),
    "no limit": (("add", "x"), "expected one of limit_usd, limit_tokens and limit_calls, found none"),
    "two limits": (("add", "x", "--limit-usd", "5", "--limit-calls", "5"), "found limit_usd and limit_calls"),
    "no amount": (
        ("add", "x", "--limit-usd", "five"),
        "limit_usd: expected dollars such as '0.25', found 'five'",
    ),
    "no period": (("add", "x", "--limit-usd", "5", "--period", "monthly"), "period: expected"),
    "no such mode": (
        ("add", "x", "--limit-usd", "5", "--reserve", "soft"),
        "reserve: expected 'expected' or 'strict', found 'soft'",
    ),
    "no such tag": (("add", "x", "--limit-usd", "5", "--per", "planet"), "planet"),
    "no pair": (("add", "x", "--limit-usd", "5", "--match", "production"), "expected --match TAG=VALUE"),
    "no name": (("add", "", "--limit-usd", "5"), "name: expected text"),
    "YAML in the name": (("add", "a\n- b", "--limit-usd", "5"), "name: "),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_added_is_one_clear_message_and_changes_nothing(
    cli: Cli, tmp_path: Path, what: str
) -> None:
    """It names what was expected; the file is as it was, and nothing lies beside it."""
    path = tmp_path / "spendgraph.yaml"
    path.write_text(FILE)
    arguments, message = WRONG[what]
    said = cli("budgets", *arguments)
    assert said.code in {1, 2}
    assert message in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert path.read_text() == FILE
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "{version: 1}",
        "notify: &x {}\nbudgets: &list\n  - {name: a, limit_usd: 1}\n",
        "version: 1\n---\nversion: 1\n",
        "budgets: [",
        "budgets: {}",
        "budgets:\n  - {name: a, limit_usd: 1, match: &m {tenant: acme}}\n  - name: b\n    limit_usd: 1\n    match: *m\n",
    ],
)
def test_a_file_that_nothing_can_be_added_to_is_left_alone(cli: Cli, tmp_path: Path, text: str) -> None:
    """It is not valid, or written in a way that only a person should change: then the entry is shown."""
    path = tmp_path / "spendgraph.yaml"
    path.write_text(text)
    said = cli(*ADD)
    assert (said.code, path.read_text()) == (1, text)
    assert "expected" in said.err or "- name: new one\n    limit_usd" in said.err


def test_a_policy_file_that_is_not_there_is_named(cli: Cli) -> None:
    """With the command that writes one."""
    said = cli(*ADD, "--policy", "none.yaml")
    assert (said.code, "spendgraph init none.yaml" in said.err) == (2, True)


def test_a_link_stays_a_link_and_json_says_what_was_added(cli: Cli, tmp_path: Path) -> None:
    """The file it leads to is changed."""
    path, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    path.write_text(FILE)
    link.symlink_to(path)
    said = cli(*ADD, "--policy", "link.yaml", "--json")
    assert said.json == {
        "policy": "link.yaml",
        "line": 10,
        "budget": "new one",
        "unit": "nanousd",
        "limit_nanousd": 500 * 10**9,
        "definition": {"name": "new one", "limit_usd": "500"},
    }
    assert link.is_symlink()
    assert len(load_policy(path).budgets) == 2


def test_a_folder_that_cannot_be_written_is_an_error_and_nothing_is_half_written(
    cli: Cli, tmp_path: Path
) -> None:
    """The limit on the size of files stops the draft: the old file stays."""
    path = tmp_path / "spendgraph.yaml"
    path.write_text(FILE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        said = cli(*ADD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (said.code, path.read_text()) == (1, FILE)
    assert list(tmp_path.iterdir()) == [path]
