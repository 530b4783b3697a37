"""Run the provider as a process of its own: prints its address, serves until its standard input ends."""

from __future__ import annotations

import sys

from provider import Provider

with Provider(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as running:
    sys.stdout.write(f"{running.url}\n")
    sys.stdout.flush()
    sys.stdin.read()
