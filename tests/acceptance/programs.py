"""Every program of the application set, in one tuple.

Apart from the package of the programs, so that a process that needs one of them does not import all.
"""

from __future__ import annotations

from acceptance.apps.agents import AGENTS
from acceptance.apps.concurrency import CONCURRENCY
from acceptance.apps.detours import DETOURS
from acceptance.apps.graphs import GRAPHS
from acceptance.apps.wires import WIRES

PROGRAMS = (*GRAPHS, *AGENTS, *CONCURRENCY, *WIRES, *DETOURS)
"""The whole set."""
