"""The truth file: everything that is known about a history, as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spendgraph.clock import iso
from spendgraph_demo.history import planted
from spendgraph_demo.history.policies import RAISED
from spendgraph_demo.history.tenants import SOLD_CHEAP
from spendgraph_demo.history.truth import Amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spendgraph_demo.history.invoices import Invoices
    from spendgraph_demo.history.parameters import Parameters
    from spendgraph_demo.history.planted import Plan
    from spendgraph_demo.history.tenants import Tenant
    from spendgraph_demo.history.truth import Truth


def truth_document(
    truth: Truth, invoices: Invoices, parameters: Parameters, tenants: Sequence[Tenant], plan: Plan
) -> dict[str, Any]:
    """What is true of a history; money is integer nano-USD, times are ISO text in UTC, and microseconds where a name ends in `_us`."""
    unattributed = truth.kinds.get("unattributed", Amount()).nanousd
    return {
        "parameters": {**asdict(parameters), "end": parameters.end.isoformat()},
        "first_day": parameters.first.isoformat(),
        **_times(parameters.at(0), parameters.at(parameters.days)),
        "from_us": parameters.at(0),
        "until_us": parameters.at(parameters.days),
        "total_nanousd": truth.total_nanousd,
        "steps": truth.steps,
        "corrections": truth.corrections,
        "tasks": dict(sorted(truth.statuses.items())),
        "unattributed_share": unattributed / truth.total_nanousd if truth.total_nanousd else 0.0,
        "kinds": {name: amount.document() for name, amount in sorted(truth.kinds.items())},
        "refusals": dict(sorted(truth.refusals.items())),
        "planted": [
            {"name": name, **told, **truth.planted.get(name, Amount()).document()}
            for name, told in _planted(parameters, tenants, plan).items()
        ],
        "invoices": invoices.residuals(),
    }


def _planted(parameters: Parameters, tenants: Sequence[Tenant], plan: Plan) -> dict[str, dict[str, Any]]:
    """The planted events: what happens, the tags by which it can be found, and when."""

    def days(since: int, until: int) -> dict[str, str]:
        return {"from_day": parameters.day(since).isoformat(), "until_day": parameters.day(until).isoformat()}

    end = parameters.days
    return {
        planted.REGRESSION: {
            "what": f"the prompt of the draft is {planted.GROWTH} times as long; nanousd is the excess",
            "tags": {
                "feature": "inbox-triage",
                "version": planted.REGRESSED_VERSION,
                "template": "draft-reply",
            },
            **days(plan.regressed_from, end),
        },
        planted.BROKEN_CACHE: {
            "what": "a template puts the time first, so the prompt is written to the cache and never found there;"
            " nanousd is the excess",
            "tags": {"feature": "support-chat", "template_version": planted.BROKEN_TEMPLATE},
            **days(plan.broken_from, plan.broken_until),
        },
        planted.STUCK_LOOP: {
            "what": "one task searches and asks the same again and again; nanousd is all of it",
            "tags": {"feature": "lead-research", "tenant": plan.stuck_tenant.name},
            **_times(plan.stuck_from_us, plan.stuck_until_us),
        },
        planted.OFF_HOURS_LOOP: {
            "what": "the same contracts are reviewed every few minutes of a night; nanousd is all of it",
            "tags": {"feature": "contract-review", "tenant": plan.off_tenant.name},
            **_times(plan.off_from_us, plan.off_until_us),
        },
        planted.NIGHT_SCRIPT: {
            "what": "a script without any tag, every night",
            "tags": {"feature": "", "tenant": ""},
            **days(0, end),
        },
        planted.NO_COST_CENTER: {
            "what": "research that somebody starts without the cost center that production requires",
            "tags": {"feature": "lead-research", "cost_center": ""},
            **days(0, end),
        },
        planted.CREDIT: {
            "what": "a day's searches are credited on the next one: corrections",
            "tags": {"feature": "lead-research"},
            **days(plan.credit_day, plan.credit_day + 1),
        },
        planted.QUIET_DAY: {
            "what": "a holiday: people stay away, which is no anomaly",
            "tags": {},
            **days(plan.quiet_day, plan.quiet_day + 1),
        },
        planted.BUDGET_RAISED: {
            "what": f"the budget 'tenant ceiling' gets a second version, {RAISED} times as high",
            "tags": {},
            **days(plan.raised_day, end),
        },
        "sold too cheap": {
            "what": "a tenant on the smallest plan with the traffic of a large one: its margin is negative",
            "tags": {"tenant": tenants[SOLD_CHEAP].name},
            **days(0, end),
        },
        "customer that left": {
            "what": "its traffic ends with its contract",
            "tags": {"tenant": next(tenant.name for tenant in tenants if tenant.left is not None)},
            **days(next(tenant.left for tenant in tenants if tenant.left is not None), end),
        },
    }


def _times(since_us: int, until_us: int) -> dict[str, str]:
    return {"from": iso(since_us), "until": iso(until_us)}
