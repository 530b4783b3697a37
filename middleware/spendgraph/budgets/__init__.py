"""Budgets: which windows a call counts in and how much room it needs. Decisions; nothing here raises a refusal."""
