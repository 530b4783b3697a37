"""A day's tasks: who does what, how often and when, and how each of them ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from spendgraph.context import CostContext
from spendgraph.money import nanousd
from spendgraph.pricing import Usage
from spendgraph_demo.history.acts import PlannedTask
from spendgraph_demo.history.chance import counted, new_id, stream
from spendgraph_demo.history.editions import edition
from spendgraph_demo.history.features import FEATURES
from spendgraph_demo.history.planted import NIGHT_SCRIPT, NO_COST_CENTER
from spendgraph_demo.history.recipes import RECIPES
from spendgraph_demo.history.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from spendgraph_demo.history.editions import Edition
    from spendgraph_demo.history.features import Feature
    from spendgraph_demo.history.parameters import Parameters
    from spendgraph_demo.history.planted import Plan
    from spendgraph_demo.history.tenants import Tenant

FAILED: Final = 0.015
CANCELLED: Final = 0.012
UNHEARD: Final = 0.006
FORGOTTEN: Final = 0.05
"""The share of research tasks that somebody starts without a cost center."""

QUIET: Final = 0.12
"""The traffic of a holiday beside a usual day's."""

SCRIPTS_A_NIGHT: Final = 18

_SUCCESS: Final[dict[str, tuple[float, str | None]]] = {
    "inbox-triage": (0.87, "1.20"),
    "support-chat": (0.71, "4.00"),
    "contract-review": (0.93, "35.00"),
    "lead-research": (0.62, None),
}
"""How often a finished task did what it was for, and what that was worth in dollars, by feature."""

_INTERNAL: Final = "internal"


class Traffic:
    """The tasks of a history, day by day.

    Args:
        parameters: What the history is made from.
        tenants: The customers.
        plan: What goes wrong.
    """

    def __init__(self, parameters: Parameters, tenants: Sequence[Tenant], plan: Plan) -> None:
        self._parameters = parameters
        self._tenants = tenants
        self._plan = plan
        self._affinities = {
            (tenant.name, feature.name): math.exp(
                stream(parameters.seed, "affinity", tenant.name, feature.name).gauss(0, 0.45)
            )
            for tenant in tenants
            for feature in FEATURES
        }

    def day(self, number: int) -> Iterator[PlannedTask]:
        """The tasks that start on a day, without the planted loops, in no order."""
        for feature in FEATURES:
            rng = stream(self._parameters.seed, "day", number, feature.name)
            yield from self._of_feature(feature, number, rng)
        yield from self._scripts(number, stream(self._parameters.seed, "scripts", number))

    def volume(self, feature: Feature, number: int) -> float:
        """How many tasks of a feature there are on a day, on average."""
        parameters = self._parameters
        months = (number - parameters.days) / 30
        weekday = feature.rhythm.weekdays[parameters.day(number).weekday()]
        holiday = QUIET if number == self._plan.quiet_day and feature.has_users else 1
        grown: float = (1 + parameters.growth) ** months
        return feature.a_day * parameters.scale * grown * weekday * holiday

    def _of_feature(self, feature: Feature, number: int, rng: Random) -> Iterator[PlannedTask]:
        count = counted(rng, self.volume(feature, number) * math.exp(rng.gauss(0, 0.07)))
        if feature.is_internal:
            users = [self._tenants[0]._replace(name=_INTERNAL, rank=0, users=6)]
            weights = [1.0]
        else:
            users = [tenant for tenant in self._tenants if tenant.is_here(number) and feature.is_for(tenant)]
            weights = [tenant.size * self._affinities[tenant.name, feature.name] for tenant in users]
        if not users:
            return
        for tenant in rng.choices(users, weights, k=count):
            started_us = feature.rhythm.moment(rng, self._parameters.day(number), self._parameters.zone)
            edited = edition(feature.name, tenant, number, self._parameters.days, self._plan)
            context = context_of(feature, tenant, edited, _user(rng, tenant) if feature.has_users else "")
            if feature.name == "lead-research" and rng.random() < FORGOTTEN:
                context = context.replace(cost_center="")
            turns = 1
            if feature.name == "support-chat":
                turns = 1 + counted(rng, 1.1)
            thread_id = new_id(rng, started_us) if feature.has_users else ""
            for _ in range(turns):
                script = Script(rng, started_us)
                RECIPES[feature.name](script, edited)
                task = task_of(script, context, feature.graph, thread_id, started_us)
                if context.cost_center == "" and not feature.is_internal:
                    task.acts = [act._replace(planted=NO_COST_CENTER) for act in task.acts]
                end(task, feature.name, rng)
                yield task
                started_us = task.ended_us + rng.randrange(8_000_000, 240_000_000)

    def _scripts(self, number: int, rng: Random) -> Iterator[PlannedTask]:
        """A script that somebody runs every night and that tells nobody who pays."""
        for _ in range(counted(rng, SCRIPTS_A_NIGHT * self._parameters.scale)):
            started_us = self._parameters.at(number, 22) + rng.randrange(3_000_000_000)
            script = Script(rng, started_us)
            usage = Usage(rng.randrange(4_000, 40_000), rng.randrange(300, 1_500))
            script.model("", "openai", "gpt-5", usage, planted=NIGHT_SCRIPT)
            yield task_of(script, CostContext(), "", "", started_us)


def context_of(feature: Feature, tenant: Tenant, edited: Edition, user: str = "") -> CostContext:
    """Who pays for a task."""
    return CostContext(
        feature=feature.name,
        team=feature.team,
        workload_class=feature.workload_class,
        tenant=tenant.name,
        environment=feature.environment,
        user=user,
        version=edited.version,
        template=feature.template,
        template_version=edited.template_version,
        workspace=feature.project,
        project=feature.project,
        cost_center=feature.cost_center,
        priority="critical" if feature.name == "support-chat" and tenant.plan == "enterprise" else "",
    )


def task_of(script: Script, context: CostContext, graph: str, thread_id: str, started_us: int) -> PlannedTask:
    """The task of a script that is written."""
    return PlannedTask(
        new_id(script.rng, started_us), context, graph, thread_id, started_us, script.now_us, acts=script.acts
    )


def end(task: PlannedTask, feature: str, rng: Random) -> None:
    """Let a task end: nearly all are finished, some fail, are cancelled, or lose the end of their last call."""
    chance = rng.random()
    models = [place for place, act in enumerate(task.acts) if act.kind == "model" and not act.planted]
    if chance < FAILED:
        task.status = "failed"
        _cut(task, rng.randrange(len(task.acts)) + 1)
        if models:
            last = task.acts[-1]
            task.acts[-1] = last._replace(status="error", error=rng.choice(("TimeoutError", "ValueError")))
    elif chance < FAILED + CANCELLED + UNHEARD and models:
        _cut(task, rng.choice(models) + 1)
        last = task.acts[-1]
        if last.usage is None or last.heard == "cache_hit":
            return
        task.status = "cancelled"
        if chance < FAILED + CANCELLED:
            task.acts[-1] = last._replace(heard="estimated", status="cut", error="CancelledError")
        else:
            task.acts[-1] = last._replace(heard="upper_bound", status="cancelled", late_us=0)
    elif feature in _SUCCESS:
        share, usd = _SUCCESS[feature]
        is_success = rng.random() < share
        task.outcome = "success" if is_success else "failure"
        if is_success and usd is not None:
            task.value_nanousd = nanousd(usd)


def _cut(task: PlannedTask, count: int) -> None:
    task.acts = task.acts[:count]
    task.ended_us = task.acts[-1].ended_us + 1_000


def _user(rng: Random, tenant: Tenant) -> str:
    """A person of a tenant: the first ones use the product most."""
    return f"{tenant.name}-{int(tenant.users * rng.random() ** 2) + 1:02d}"
