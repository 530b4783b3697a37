"""Notifications: who is told, how, how often. What is told is a row of the ledger before anybody is told it."""

from __future__ import annotations

from spendgraph.notify.alert import Alert, Severity
from spendgraph.notify.channels import Channels, read_channels
from spendgraph.notify.notifier import Notifier
from spendgraph.notify.once import Told, tell

__all__ = ["Alert", "Channels", "Notifier", "Severity", "Told", "read_channels", "tell"]
