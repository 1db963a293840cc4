"""The API keeps what its OpenAPI description promises: over a thousand requests made up from it, good and bad ones.

No answer may be a fault of the server, and each must be as described: its status, its headers, its type, its body.
`make fuzz` makes ten times as many, each time others; `FUZZ_SEED` repeats a run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from chatbot.ports import Queue
from tests.processes import chatbot, serving, until
from tests.test_end_to_end import ROOFS

pytestmark = pytest.mark.slow

EXAMPLES, SEED = os.environ.get("FUZZ_EXAMPLES", "40"), os.environ.get("FUZZ_SEED", "1")
"""Requests for each operation, besides those that try each boundary of the description."""
CHECKS = "not_a_server_error", "status_code_conformance", "content_type_conformance"
CHECKS += "response_headers_conformance", "response_schema_conformance"


def test_every_answer_is_as_described(environ: dict[str, str], broker: Queue, tmp_path: Path) -> None:
    """`broker` takes out the jobs of its uploads afterwards."""
    (tmp_path / "roofs.md").write_bytes(ROOFS)
    with chatbot("ingest", str(tmp_path / "roofs.md"), environ=environ) as ingest:
        until(lambda: ingest.code == 0)
    with serving(environ) as (web, client):
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{client.base_url}/openapi.json"]
        options = ["--max-examples", EXAMPLES, "--seed", SEED, "--checks", ",".join(CHECKS), "--continue-on-failure"]
        phases = ["--phases", "examples,coverage,fuzzing"]
        run = subprocess.run([*command, *options, *phases], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        [tried] = re.findall(r"(\d+) generated", run.stdout)
        assert int(tried) >= 1000 or int(EXAMPLES) < 40
        statuses = [line["status"] for line in web.logs() if line["message"] == "request"]
        assert len(statuses) >= int(tried)
        assert [status for status in statuses if status == 0 or status >= 500] == []
        assert web.errors() == ""
