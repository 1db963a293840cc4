"""One id from the HTTP header, through the queue and the job's record, to the lines that a worker logs."""

from __future__ import annotations

from collections.abc import Mapping

from chatbot.domain import JobRequest
from chatbot.observability.logs import request_id
from chatbot.storage.jobs import Jobs
from tests.processes import chatbot, serving, until

ID = "front-desk.4711"


def test_a_request_is_followed_from_its_header_to_the_worker(environ: Mapping[str, str]) -> None:
    with serving(environ) as (web, client), chatbot("worker", environ=environ) as worker:
        file = {"file": ("slate.md", b"# Slate\n\nSlate sheds rain.\n")}
        upload = client.post("/v1/documents", files=file, headers={"X-Request-ID": ID})
        assert upload.headers["X-Request-ID"] == ID
        job = upload.json()["job"]["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded")
        lines = until(lambda: [line for line in worker.logs() if line["message"] == "job done"])
        assert [(line["job_id"], line["request_id"]) for line in lines] == [(job, ID)]
        [asked] = [line for line in web.logs() if line.get("path") == "/v1/documents"]
        assert asked["request_id"] == ID
        assert "request_id" not in next(line for line in worker.logs() if line["message"] == "ready")


async def test_the_record_keeps_the_request_and_a_job_of_nobody_has_none(jobs: Jobs) -> None:
    token = request_id.set(ID)
    made = await jobs.create(JobRequest("ingest"), "d1")
    request_id.reset(token)
    assert made.request_id == ID
    begun = await jobs.start(made.id)
    assert begun is not None
    assert begun.request_id == ID
    assert (await jobs.create(JobRequest("ingest"), "d2")).request_id is None
