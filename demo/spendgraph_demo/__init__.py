"""The demo: a LangGraph application with several features and tenants, run on a real language model.

`spendgraph demo` starts it. It shows what a ledger knows after one run: who spent what, what nobody has
claimed, and every step of one task.
"""
