"""A real browser that opens a page: what stands in it once everything that could run has run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
"""A page is opened where there is a browser."""

_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def opened(page: Path) -> str:
    """The document after its scripts have run, as text."""
    assert BROWSER is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        shown = subprocess.run(
            [
                BROWSER,
                *_QUIET,
                f"--user-data-dir={folder}",
                "--virtual-time-budget=2000",
                "--dump-dom",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
            text=True,
            timeout=100,
        )
    return shown.stdout
