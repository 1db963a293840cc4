"""XI. Logs: a stream of JSON lines on stdout, nothing else, and nobody's words in it, nor in the figures."""

from __future__ import annotations

from collections.abc import Mapping

from tests.processes import chatbot, serving, until

SECRET = "Wolpertinger"


def test_every_line_of_every_process_is_json_and_holds_no_question(environ: Mapping[str, str]) -> None:
    environ = {**environ, "LOG_LEVEL": "DEBUG"}
    with (
        serving(environ) as (web, client),
        chatbot("worker", environ=environ) as worker,
        chatbot("scheduler", environ=environ) as scheduler,
    ):
        file = {"file": ("eleventh.md", f"# Eleventh\n\nThe {SECRET} has antlers.\n".encode())}
        job = client.post("/v1/documents", files=file).json()["job"]["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded")
        assert client.post("/v1/chat", json={"question": f"What has the {SECRET}?"}).is_success
        client.get("/v1/documents/nowhere")
        client.get(f"/{SECRET}?q={SECRET}")
        assert SECRET not in client.get("/metrics").text
        processes = {"web": web, "worker": worker, "scheduler": scheduler}
        assert [process.stop() for process in processes.values()] == [0, 0, 0]
        for name, process in processes.items():
            assert all({"time", "level", "logger", "message"} <= line.keys() for line in process.logs()), name
            assert process.errors() == "", name
            assert SECRET not in "\n".join(process.output()), name
        assert web.logs()
        assert any(line.get("job") == job for line in worker.logs())
