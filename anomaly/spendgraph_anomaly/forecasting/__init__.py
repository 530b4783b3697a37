"""Forecasts: what a series, a month or a budget will come to, with intervals that hold what they promise."""

from __future__ import annotations

from spendgraph_anomaly.forecasting.budgets import budget_forecast
from spendgraph_anomaly.forecasting.changes import Change
from spendgraph_anomaly.forecasting.daily import daily_report
from spendgraph_anomaly.forecasting.exhaustion import Exhaustion, exhaustions
from spendgraph_anomaly.forecasting.models import DAYS, HOURS, History, history
from spendgraph_anomaly.forecasting.outlook import Cut, Outlook, outlook
from spendgraph_anomaly.forecasting.prediction import Prediction, predict
from spendgraph_anomaly.forecasting.report import forecast
from spendgraph_anomaly.forecasting.telling import review
from spendgraph_anomaly.forecasting.trial import backtest_report

__all__ = [
    "DAYS",
    "HOURS",
    "Change",
    "Cut",
    "Exhaustion",
    "History",
    "Outlook",
    "Prediction",
    "backtest_report",
    "budget_forecast",
    "daily_report",
    "exhaustions",
    "forecast",
    "history",
    "outlook",
    "predict",
    "review",
]
