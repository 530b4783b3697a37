"""The two loops that are planted: an agent that never finds what it looks for, and jobs that start again and again at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spendgraph.pricing import Usage
from spendgraph_demo.history.chance import around, stream
from spendgraph_demo.history.editions import edition
from spendgraph_demo.history.features import BY_NAME
from spendgraph_demo.history.planted import OFF_HOURS_LOOP, STUCK_LOOP
from spendgraph_demo.history.recipes import review
from spendgraph_demo.history.script import Script
from spendgraph_demo.history.traffic import context_of, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spendgraph_demo.history.acts import PlannedTask
    from spendgraph_demo.history.parameters import Parameters
    from spendgraph_demo.history.planted import Plan


def planted_loops(parameters: Parameters, plan: Plan, number: int) -> Iterator[PlannedTask]:
    """The tasks of the loops that begin on a day."""
    if number == plan.stuck_day:
        yield _stuck(parameters, plan)
    if number == plan.off_day:
        yield from _off_hours(parameters, plan)


def _stuck(parameters: Parameters, plan: Plan) -> PlannedTask:
    """One task of many hours: the same search and the same question, until somebody stops it or a budget does."""
    rng = stream(parameters.seed, STUCK_LOOP)
    feature, tenant = BY_NAME["lead-research"], plan.stuck_tenant
    edited = edition(feature.name, tenant, plan.stuck_day, parameters.days, plan)
    script = Script(rng, plan.stuck_from_us)
    while script.now_us < plan.stuck_until_us:
        usage = Usage(around(rng, 110_000, 0.05), around(rng, 650, 0.3), 12_800)
        script.model("agent", "openai", "gpt-5", usage, template="research-turn", planted=STUCK_LOOP)
        script.tool("web_search", "tools", 0.9, planted=STUCK_LOOP)
        script.wait(rng.uniform(1, 4) / min(1.0, parameters.scale))
    context = context_of(feature, tenant, edited, f"{tenant.name}-01")
    task = task_of(script, context, feature.graph, "", plan.stuck_from_us)
    task.status = "cancelled"
    return task


def _off_hours(parameters: Parameters, plan: Plan) -> Iterator[PlannedTask]:
    """A queue that loses its place: the same contracts are reviewed every few minutes of a Saturday's night."""
    rng = stream(parameters.seed, OFF_HOURS_LOOP)
    feature, tenant = BY_NAME["contract-review"], plan.off_tenant
    edited = edition(feature.name, tenant, plan.off_day, parameters.days, plan)
    context = context_of(feature, tenant, edited)
    started_us = plan.off_from_us
    while started_us < plan.off_until_us:
        script = Script(rng, started_us)
        review(script, edited, planted=OFF_HOURS_LOOP)
        yield task_of(script, context, feature.graph, "", started_us)
        started_us += round(rng.uniform(50, 110) * 1_000_000 / min(1.0, parameters.scale))
