"""Acceptance: real LangChain and LangGraph programs, and a provider's invoice the ledger must equal."""
