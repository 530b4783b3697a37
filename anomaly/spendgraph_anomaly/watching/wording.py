"""The words in which people are told of an incident: what it cost, what is usual, what carries it, and what they can do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph_reports.amounts import dollars

if TYPE_CHECKING:
    from spendgraph_anomaly.watching.cuts import Cut

_LOUD: Final = {"low": "info", "medium": "warning", "high": "critical"}


def notice_of(cut: Cut, incident: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an alert, of which equal kind, `about`, `scope`, start and `key` are told once, for ever.

    Args:
        cut: What is watched.
        incident: The incident as it is now.
    """
    whose = f" for {incident['scope']}" if incident["scope"] else ""
    suspended_us = incident["suspended_us"]
    stopped = "" if suspended_us is None else f", {incident['breaker']} opened"
    return {
        "kind": "anomaly",
        "about": cut.name,
        "title": f"{dollars(incident['excess_nanousd'])} more than usual{whose}: {incident['kind']}{stopped}",
        "message": " ".join(sentences(cut, incident)),
        "to": cut.told,
        "severity": "critical" if stopped else _LOUD[incident["severity"]],
        "scope": incident["scope"],
        "window_start_us": incident["start_us"],
        "unit": "nanousd",
        "spent": incident["observed_nanousd"],
        "key": (incident["severity"], suspended_us or 0),
    }


def sentences(cut: Cut, incident: Mapping[str, Any]) -> list[str]:
    """What is to be said of an incident, the most important first."""
    since = f"since {_time(incident['start_us'], cut.zone)}"
    if incident["end_us"] is not None:
        since = f"from {_time(incident['start_us'], cut.zone)} to {_time(incident['end_us'], cut.zone)}"
    spent, beyond = (dollars(incident[name]) for name in ("observed_nanousd", "excess_nanousd"))
    said = [f"{spent} was spent {since} ({cut.zone}), {beyond} beyond what is usual then."]
    if incident["suspended_us"] is not None:
        scope = ["--scope", incident["scope"]] if incident["scope"] else []
        command = shlex.join(["spendgraph", "breakers", "reset", incident["breaker"], *scope])
        said.append(
            f"The breaker {incident['breaker']} was opened, calls are refused: `{command}` lets them go on."
        )
    said += incident["explanation"].get("sentences", [])
    if cut.owner:
        said.append(f"Owner: {cut.owner}.")
    said.append(
        f"Say what it was: `spendgraph incidents real {incident['incident_id']}`, or `expected`, or `noise`."
    )
    return said


def _time(at_us: int, zone: str) -> str:
    return from_us(at_us).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
