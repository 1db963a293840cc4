"""Every command that the manual shows in a block is run as it stands, one after the other, beside a running bot.

Only what nobody could have typed is filled in: ids, a key, the files and folders that are named. Commands of other
programs are listed with the test that runs them, or with what they would need.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatbot.settings import Settings, home
from tests.conftest import TABLES, short_lived
from tests.processes import environment, serving
from tests.programs import program
from tests.unit import pdfs

pytestmark = pytest.mark.slow

PAGES = [home() / "README.md", *sorted((home() / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
HERE = re.compile(r"(?:[A-Z_]+=\"[^\"]*\" )?(?:chatbot (?!dev )|curl )")
"""How a command begins that is run here."""
ELSEWHERE = {
    "chatbot dev ": "`make demo`, in the template's tests/test_first_run.py",
    "make ": "the template's tests/test_first_run.py; `make run` is tests/unit/test_dev.py",
    "cp .env.example .env": "tests/chosen/test_adapters.py",
    "python3 -m venv prefect-server": "tests/test_prefect.py",
    "prefect": "tests/test_prefect.py",
    "pg_": "tests/test_erasure.py",
    'echo "POSTGRES_PASSWORD=': "a Docker daemon is needed",
    "docker ": "a Docker daemon is needed",
    "kubectl ": "a Kubernetes cluster is needed",
    "llama-server ": "a model's file of gigabytes is needed",
    "uv pip compile ": "the network is needed",
}
"""Of the others: the test that runs such a command, or why none does."""
SETTING = re.compile(r"(?:export )?[A-Z_]+=|\. \.venv/bin/activate$")
FAILS = {"BENCHMARK_THRESHOLDS": "right"}
"""By how a command begins: it ends with 1, as it is to here, and says this."""
ADDRESS = "http://127.0.0.1:8000"
QUESTION = "What does a carbon tax change?"
LEARN = b"# Carbon taxes\n\nA carbon tax changes what people buy: fewer litres of petrol, and more bicycles.\n"


def shown() -> list[tuple[str, str]]:
    """(page, command) for each line of a block with those that a backslash joins to it, without its comment."""
    found = []
    for page in PAGES:
        for language, block in BLOCK.findall(page.read_text("utf-8")):
            for line in re.split(r"(?<!\\)\n", block) if language in ("", "sh") else ():
                if command := re.sub(r"\s+#\s.*", "", line).strip():
                    found.append((page.name, command))
    return found


@dataclass(frozen=True)
class Shell:
    """A folder with the files that the manual names, and the variables of a running bot."""

    folder: Path
    environ: Mapping[str, str]
    filled: dict[str, str]
    """What stands in the manual, and what is meant here."""

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        for word, meant in self.filled.items():
            command = command.replace(word, meant)
        command = re.sub(r"^curl ", "curl --fail-with-body --noproxy '*' ", command)
        return subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder,
            env={
                **environment(**self.environ),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            input="y\n",
            timeout=300,
        )

    def json(self, command: str) -> Any:
        done = self.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shell(urls: dict[str, str], settings: Settings) -> Iterator[Shell]:
    program("curl", package="curl")
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)}")
    with short_lived() as root, serving(urls) as (_, client):
        files(root)
        environ = {**urls, "QUESTIONS": str(root / "questions.yaml")}
        shell = Shell(root / "here", environ, {ADDRESS: str(client.base_url).rstrip("/")})
        yield shell


def files(root: Path) -> None:
    """What the commands name, beside the folder in which they run and in it."""
    (root / "here").mkdir()
    (root / "here" / "report.pdf").write_bytes(pdfs.document([pdfs.lines(["A carbon tax changes what people buy."])]))
    (root / "here" / "words.env").write_text("LEXICAL_WEIGHT=1\n")
    (example,) = re.findall(
        r"```yaml\n(- question: .*?)```", (home() / "docs" / "pipelines.md").read_text("utf-8"), re.S
    )
    (root / "questions.yaml").write_text(example)
    (root / "scifact" / "qrels").mkdir(parents=True)
    (root / "scifact" / "corpus.jsonl").write_text('{"_id": "1", "title": "Slate", "text": "Slate roofs shed rain."}\n')
    (root / "scifact" / "queries.jsonl").write_text('{"_id": "q", "text": "What sheds rain?"}\n')
    (root / "scifact" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")


def known(shell: Shell) -> dict[str, str]:
    """What the manual leaves open: a key, the ids of a document, and of a visitor's conversation and answer."""
    jar = f"curl -s {ADDRESS}/v1/chat -b cookies -c cookies -H 'Content-Type: application/json' -d "
    question = json.dumps({"question": QUESTION})
    answer = shell.json(f"{jar} '{question}'")
    stream = shell.run(f"{jar} '{question[:-1]}, \"stream\": true}}'").stdout
    (visitor,) = re.findall(r"\tvisitor\t(\S+)", (shell.folder / "cookies").read_text())
    used, _ = [shell.run("chatbot keys create test --scope ask --scope ingest").stdout.strip() for _ in range(2)]
    keys = shell.json("chatbot keys list --json")
    (other,) = [each["id"] for each in keys if not used.startswith(each["prefix"])]
    return {
        "$KEY": used,
        "revoke ID": f"revoke {other}",
        "DOCUMENT_ID": shell.json("chatbot documents list --json")[0]["id"],
        "MESSAGE_ID": answer["message_id"],
        "…": answer["conversation_id"],
        "9b0e4c21d7f84a6fb2a1c3e5d7f90812-36-1-0": re.findall(r"^id: (\S+)", stream, re.M)[1],
        "visitor:ID": f"visitor:{visitor}",
    }


def test_each_command_is_run_here_or_it_is_said_why_not() -> None:
    others = [(page, command) for page, command in shown() if not HERE.match(command) and not SETTING.match(command)]
    assert [each for each in others if not each[1].startswith(tuple(ELSEWHERE))] == []


def test_each_command_does_what_it_says(shell: Shell) -> None:
    """The data set first, since it wants an empty database; erasing last."""
    commands = list(dict.fromkeys(command for _, command in shown() if HERE.match(command)))
    assert len(commands) > 25
    commands.sort(key=lambda command: ("erase-user" in command) - ("--beir" in command))
    wrong = []
    for number, command in enumerate(commands):
        if number == 1:
            assert shell.run("chatbot ingest report.pdf").returncode == 0
            shell.filled.update(known(shell))
        done = shell.run(command)
        said = next((words for start, words in FAILS.items() if command.startswith(start)), None)
        text = done.stdout + done.stderr
        if done.returncode != (1 if said else 0) or (said or "") not in text or "Traceback" in text:
            wrong.append(f"{command}\nexited {done.returncode}: {text[-600:]}")
    assert not wrong, "\n\n".join(wrong)
