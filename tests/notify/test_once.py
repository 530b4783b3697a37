"""Telling people without a meter: once, and whatever waits besides."""

from __future__ import annotations

from pathlib import Path

from budgets.fanout import PRICES
from notify.kit import NOWHERE, rows
from notify.receiver import Receiver
from spendgraph.ledger import Ledger
from spendgraph.notify import Alert, Told, read_channels, tell
from spendgraph.policy import parse_policy


def alert(key: str = "a", to: tuple[str, ...] = ("growth",)) -> Alert:
    """Something to tell."""
    return Alert("invoice", "july", f"July's invoice {key}", "See the reconciliation.", to=to, key=(key,))


def tell_growth(path: Path, url: str, *alerts: Alert) -> Told:
    """Tell `growth`, whose channel is at an address."""
    channels = read_channels(parse_policy(f"{PRICES}\nnotify: {{growth: '{url}'}}"))
    with Ledger.open(path) as ledger:
        return tell(ledger, channels, alerts, wait_s=10)


def test_an_alert_is_told_once(tmp_path: Path) -> None:
    """By whichever process, today or tomorrow."""
    path = tmp_path / "ledger.db"
    with Receiver() as receiver:
        assert tell_growth(path, receiver.url, alert("a"), alert("a"), alert("b")) == (2, 2, 0)
        assert tell_growth(path, receiver.url, alert("a"), alert("b")) == (0, 0, 0)
    assert sorted(receiver.titles) == ["July's invoice a", "July's invoice b"]
    assert rows(path, "attempts, error") == [(1, ""), (1, "")]


def test_what_did_not_get_there_is_delivered_the_next_time(tmp_path: Path) -> None:
    """Beside what is new."""
    path = tmp_path / "ledger.db"
    assert tell_growth(path, NOWHERE, alert("a")) == (1, 0, 1)
    with Receiver() as receiver:
        assert tell_growth(path, receiver.url, alert("b")) == (1, 2, 0)
    assert sorted(receiver.titles) == ["July's invoice a", "July's invoice b"]


def test_an_alert_to_nobody_is_a_row(tmp_path: Path) -> None:
    """A name that `notify` does not know cannot be told."""
    path = tmp_path / "ledger.db"
    assert tell_growth(path, NOWHERE, alert(to=("finance",))) == (1, 0, 0)
    assert rows(path, "told, waiting") == [("[]", "[]")]
