"""What tasks are made of: their steps by place, in the middle and on average, as DuckDB sums them up.

A place is a node in which a model is called, or a tool, a retriever and so on by its name. Steps that were paid again,
after an interrupt or as another attempt, are a place of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from spendgraph_reports.books import Books
    from spendgraph_reports.period import Period

AGAIN: Final = "again"
"""The kind of what was paid again."""

Key = tuple[str, str]
"""Kind and name of a place."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Which tasks of a feature.

    Attributes:
        feature: The tag that they were opened with.
        since_us: Their first step started then or later.
        until_us: It started earlier.
        task_id: Only this one.
        tag: Only those that have in this tag (`tenant`, `user`, `version` or `template_version`)
        value: this value.
    """

    feature: str
    since_us: int
    until_us: int
    task_id: str | None = None
    tag: str | None = None
    value: str | None = None


class Rates(NamedTuple):
    """What a token of a price costs in nano-USD, of its first range of lengths."""

    input: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    output: float = 0.0


class Place(NamedTuple):
    """What happens at a place of a task; tokens and dollars are statistics of one step.

    Attributes:
        steps: How many steps a task has there.
        input_tokens: The prompt, cached tokens included.
        first_tokens: The first prompt of a task.
        largest_tokens: The longest prompt of a task.
        output_tokens: The answer.
        cached: The share of the prompt that came from the provider's cache.
        written: The share that was written to it.
        nanousd: What a step costs.
        model: The model that answers most often.
        price_id: The price that is charged most often.
        rates: That price.
        jump_tokens: By how much the prompt grew at most from one step to the next right after a tool.
        jump_after: That tool.
    """

    steps: float = 0.0
    input_tokens: float = 0.0
    first_tokens: float = 0.0
    largest_tokens: float = 0.0
    output_tokens: float = 0.0
    cached: float = 0.0
    written: float = 0.0
    nanousd: float = 0.0
    model: str = ""
    price_id: str | None = None
    rates: Rates = Rates()
    jump_tokens: float = 0.0
    jump_after: str = ""


@dataclass(slots=True)
class Profile:
    """Tasks by place.

    Attributes:
        tasks: How many they are.
        middle: Places by medians; a task without the place counts as one with no step there.
        average: Places by means.
    """

    tasks: int = 0
    middle: dict[Key, Place] = field(default_factory=dict[Key, Place])
    average: dict[Key, Place] = field(default_factory=dict[Key, Place])


# The rank of the median among the tasks that have the place: those that lack it come first, with no step.
_PROFILES: Final = """\
WITH picks AS (
  SELECT unnest(json_transform(getvariable('picks'), '[{
    "pick": "BIGINT", "feature": "VARCHAR", "since_us": "BIGINT", "until_us": "BIGINT",
    "task_id": "VARCHAR", "tag": "VARCHAR", "value": "VARCHAR"
  }]'), recursive := true)
),
began AS (
  SELECT task_id, min(started_us) AS began_us, arg_min(context_id, seq) AS context_id FROM steps GROUP BY task_id
  HAVING began_us >= getvariable('since') AND began_us < getvariable('until')
),
payers AS (
  SELECT b.task_id, b.began_us, c.feature, c.tenant, c.user, c.version, c.template_version
  FROM began AS b LEFT JOIN tasks AS t ON t.task_id = b.task_id
  JOIN contexts AS c ON c.context_id = coalesce(t.context_id, b.context_id)
  WHERE c.feature IN (SELECT feature FROM picks)
),
named AS (
  SELECT s.*, s.cache_write_5m_tokens + s.cache_write_1h_tokens AS written_tokens,
    CASE WHEN s.is_replay = 1 OR s.attempt > 1 THEN 'again' ELSE s.kind END AS place_kind,
    CASE WHEN s.is_replay = 1 OR s.attempt > 1 THEN ''
      WHEN s.kind = 'model' THEN coalesce(nullif(s.node, ''), s.name)
      ELSE coalesce(nullif(s.name, ''), s.node) END AS place
  FROM steps AS s SEMI JOIN payers AS p ON p.task_id = s.task_id
),
charges AS (
  SELECT *,
    lag(place_kind) OVER in_task AS before_kind, lag(place) OVER in_task AS before_place,
    input_tokens - lag(input_tokens) OVER (PARTITION BY task_id, place_kind, place ORDER BY started_us, seq) AS more_tokens
  FROM named WHERE entry = 'charge'
  WINDOW in_task AS (PARTITION BY task_id ORDER BY started_us, seq)
),
made AS (
  SELECT task_id, place_kind, place, count(*) AS steps, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cached_tokens, sum(written_tokens) AS written_tokens,
    arg_min(input_tokens, (started_us, seq)) AS first_tokens, max(input_tokens) AS largest_tokens,
    mode(model) AS model, mode(price_id) AS price_id,
    coalesce(max(more_tokens) FILTER (WHERE before_kind IN ('tool', 'retriever')), 0) AS jump_tokens,
    arg_max(before_place, more_tokens) FILTER (WHERE before_kind IN ('tool', 'retriever')) AS jump_after
  FROM charges GROUP BY ALL
),
paid AS (SELECT task_id, place_kind, place, sum(cost_nanousd) AS nanousd FROM named GROUP BY ALL),
placed AS (SELECT m.*, p.nanousd FROM made AS m JOIN paid AS p USING (task_id, place_kind, place)),
matched AS (
  SELECT k.pick, p.task_id FROM picks AS k JOIN payers AS p ON p.feature = k.feature
    AND p.began_us >= k.since_us AND p.began_us < k.until_us AND (k.task_id IS NULL OR p.task_id = k.task_id)
    AND (k.tag IS NULL OR k.value = CASE k.tag WHEN 'tenant' THEN p.tenant WHEN 'user' THEN p.user
      WHEN 'version' THEN p.version ELSE p.template_version END)
),
sizes AS (SELECT pick, count(*) AS tasks FROM matched GROUP BY pick),
made_of AS (
SELECT m.pick, any_value(z.tasks) AS tasks, a.place_kind AS kind, a.place,
  coalesce(list_sort(list(a.steps))[greatest((any_value(z.tasks) + 1) // 2 - any_value(z.tasks) + count(*), 0)], 0)::DOUBLE
    AS steps_middle,
  (sum(a.steps) / any_value(z.tasks))::DOUBLE AS steps_average,
  median(a.input_tokens / a.steps)::DOUBLE AS input_middle, (sum(a.input_tokens) / sum(a.steps))::DOUBLE AS input_average,
  median(a.first_tokens)::DOUBLE AS first_middle, avg(a.first_tokens)::DOUBLE AS first_average,
  median(a.largest_tokens)::DOUBLE AS largest_middle, avg(a.largest_tokens)::DOUBLE AS largest_average,
  median(a.output_tokens / a.steps)::DOUBLE AS output_middle, (sum(a.output_tokens) / sum(a.steps))::DOUBLE AS output_average,
  coalesce(median(a.cached_tokens / nullif(a.input_tokens, 0)), 0)::DOUBLE AS cached_middle,
  coalesce(sum(a.cached_tokens) / nullif(sum(a.input_tokens), 0), 0)::DOUBLE AS cached_average,
  coalesce(median(a.written_tokens / nullif(a.input_tokens, 0)), 0)::DOUBLE AS written_middle,
  coalesce(sum(a.written_tokens) / nullif(sum(a.input_tokens), 0), 0)::DOUBLE AS written_average,
  median(a.nanousd / a.steps)::DOUBLE AS nanousd_middle, (sum(a.nanousd) / sum(a.steps))::DOUBLE AS nanousd_average,
  mode(a.model) AS model, mode(a.price_id) AS price_id,
  median(a.jump_tokens)::DOUBLE AS jump_middle, avg(a.jump_tokens)::DOUBLE AS jump_average,
  coalesce(arg_max(a.jump_after, a.jump_tokens), '') AS jump_after
FROM matched AS m JOIN sizes AS z ON z.pick = m.pick JOIN placed AS a ON a.task_id = m.task_id
GROUP BY m.pick, a.place_kind, a.place
)
SELECT m.*, p.rates FROM made_of AS m LEFT JOIN prices AS p ON p.price_id = m.price_id ORDER BY m.pick, m.kind, m.place"""


def profiles(books: Books, period: Period, picks: Sequence[Pick]) -> dict[Pick, Profile]:
    """The profile of each pick; one whose steps are all pruned has none.

    Args:
        books: The ledger; only the feature and the other tags as booked are looked at.
        period: Tasks whose first step started in it.
        picks: Which of them.
    """
    distinct: list[Pick] = list(dict.fromkeys(picks))
    asked = json.dumps([{"pick": number, **asdict(pick)} for number, pick in enumerate(distinct)])
    found: dict[Pick, Profile] = {}
    for row in books.ask(_PROFILES, picks=asked, since=period.since_us, until=period.until_us):
        profile = found.setdefault(distinct[int(row["pick"])], Profile())
        profile.tasks = row["tasks"]
        key = (row["kind"], row["place"])
        profile.middle[key], profile.average[key] = _place(row, "middle"), _place(row, "average")
    return found


def _place(row: Mapping[str, Any], how: str) -> Place:
    return Place(
        steps=row[f"steps_{how}"],
        input_tokens=row[f"input_{how}"],
        first_tokens=row[f"first_{how}"],
        largest_tokens=row[f"largest_{how}"],
        output_tokens=row[f"output_{how}"],
        cached=row[f"cached_{how}"],
        written=row[f"written_{how}"],
        nanousd=row[f"nanousd_{how}"],
        model=row["model"],
        price_id=row["price_id"],
        rates=_rates(json.loads(row["rates"] or "{}")),
        jump_tokens=row[f"jump_{how}"],
        jump_after=row["jump_after"],
    )


def _rates(said: Mapping[str, Any]) -> Rates:
    """A dollar a million tokens is 1,000 nano-USD a token. What a price does not name costs what input does."""

    def rate(name: str, default: float) -> float:
        return float(said[name]) * 1_000 if name in said else default

    plain = rate("input_usd_per_mtok", 0.0)
    return Rates(
        input=plain,
        cache_read=rate("cache_read_usd_per_mtok", plain),
        cache_write=rate("cache_write_5m_usd_per_mtok", plain),
        output=rate("output_usd_per_mtok", 0.0),
    )
