"""No silent wrong project: what cookiecutter would pass over in a file or on its command line is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import command_line
import pytest
from conftest import CONTEXT, ROOT, clean_environment


def generate(folder, *arguments, **environment):
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "-o", "out", *arguments]
    env = {**clean_environment(), **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def refusal(done, folder):
    """The one sentence, after which nothing may have been written."""
    assert done.returncode != 0
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Nothing was generated: ")]
    assert not any((folder / "out").glob("*"))
    return sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "default_context:\n  vectordb: chroma\n",
            "line 2: vectordb is no question of this template; did you mean vector_db?",
        ),
        ("default_context:\n  queu: redis\n", "line 2: queu is no question of this template; did you mean queue?"),
        (
            "default_context:\n  project_name: A\n  vector_db: weaviate\n",
            "line 3: vector_db 'weaviate' is not one of pgvector",
        ),
        ("default_context:\n  vector_db: Chroma\n", "did you mean chroma?"),
        ("default_context:\n  language: no\n", "line 2: language 'no' is not one of en, fr"),
        ("default_context:\n  vector_db: [chroma, qdrant]\n", "line 2: vector_db takes one value"),
        ("default_context:\n  author_name: true\n", "line 2: cookiecutter reads author_name as 'True'"),
        ("default_context:\n  description:\n", "line 2: description has no value"),
        ("default_context:\n  queue: nats\n  queue: redis\n", "line 3: queue is there twice"),
        ("default_context:\n  _catalog: {}\n", "line 2: _catalog is no question"),
        ("default_context:\n  description: '{{ 6 * 7 }}'\n", "line 2: description holds {{"),
        ("vector_db: chroma\n", "line 1: vector_db stands outside `default_context:`"),
        (
            "defaultcontext:\n  queue: nats\n",
            "line 1: defaultcontext is no setting of cookiecutter; did you mean default_context?",
        ),
        ("", "holds no answers"),
    ],
)
def test_a_file_of_answers_is_refused_by_line_and_key(text, said, tmp_path):
    (tmp_path / "answers.yaml").write_text(text, "utf-8")
    sentence = refusal(generate(tmp_path, "--no-input", "--config-file", "answers.yaml"), tmp_path)
    assert said in sentence
    assert "answers.yaml" in sentence


def test_a_file_with_the_marks_of_another_system_is_taken(tmp_path):
    (tmp_path / "answers.yaml").write_bytes(b"\xef\xbb\xbfdefault_context:\r\n  vector_db: chroma\r\n")
    assert generate(tmp_path, "--no-input", "--config-file=answers.yaml").returncode == 0
    assert "chromadb" in (tmp_path / "out/cired-chatbot/pyproject.toml").read_text("utf-8")


def test_an_unknown_key_on_the_command_line_is_refused(tmp_path):
    done = generate(tmp_path, "--no-input", "vectordb=chroma")
    assert "did you mean vector_db?" in refusal(done, tmp_path)


def test_a_wrong_choice_on_the_command_line_is_refused_by_cookiecutter_itself(tmp_path):
    done = generate(tmp_path, "--no-input", "vector_db=weaviate")
    assert done.returncode != 0
    assert "weaviate provided for choice variable vector_db" in done.stderr.splitlines()[-1]
    assert not any((tmp_path / "out").glob("*"))


def test_a_replay_with_a_wrong_choice_is_refused(tmp_path):
    answers = {name: value[0] if isinstance(value, list) else value for name, value in CONTEXT.items()}
    wrong = answers | {"project_slug": "bot", "vector_db": "weaviate"}
    (tmp_path / "replay.json").write_text(json.dumps({"cookiecutter": wrong}), "utf-8")
    done = generate(tmp_path, "--replay-file", "replay.json")
    assert "vector_db 'weaviate' is not one of" in refusal(done, tmp_path)
    assert len(done.stdout.splitlines()) + len(done.stderr.splitlines()) < 20


def test_a_replay_of_another_version_is_refused(tmp_path):
    answers = {name: value[0] if isinstance(value, list) else value for name, value in CONTEXT.items()}
    old = answers | {"project_slug": "bot", "_catalog": {}}
    (tmp_path / "replay.json").write_text(json.dumps({"cookiecutter": old}), "utf-8")
    assert "another version" in refusal(generate(tmp_path, "--replay-file", "replay.json"), tmp_path)


def test_the_users_own_settings_may_hold_other_templates_keys_but_no_wrong_choice(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("default_context:\n  github_username: ada\n", "utf-8")
    assert generate(tmp_path, "--no-input", COOKIECUTTER_CONFIG=str(own)).returncode == 0
    (tmp_path / "other").mkdir()
    own.write_text("default_context:\n  license: BSD-3-Clause\n  author_name: Ada\n", "utf-8")
    done = generate(tmp_path / "other", "--no-input", COOKIECUTTER_CONFIG=str(own))
    assert "own.yaml line 2: license 'BSD-3-Clause' is not one of MIT" in refusal(done, tmp_path / "other")
    assert "--default-config" in done.stderr


@pytest.mark.parametrize(
    ("words", "options", "arguments"),
    [
        (["cookiecutter", ".", "a=b"], {}, [".", "a=b"]),
        (
            ["python", "-m", "cookiecutter", "--no-input", "-o", "a=b", "."],
            {"--no-input": "", "--output-dir": "a=b"},
            ["."],
        ),
        (
            ["/x/bin/cookiecutter", "-foout", "--config-file=c", "."],
            {"--output-dir": "out", "--config-file": "c"},
            ["."],
        ),
        (["cookiecutter", "--checkout", "1", "--", "t", "k=v"], {"--checkout": "1"}, ["t", "k=v"]),
        (["cookiecutter.exe", "-vc", "tag", "t"], {"--checkout": "tag"}, ["t"]),
    ],
)
def test_a_command_is_read_as_cookiecutter_reads_it(words, options, arguments):
    assert command_line.parsed(words)[1:] == (options, arguments)


def test_no_command_of_cookiecutter_is_seen_where_another_program_generates():
    assert command_line.parsed([sys.executable, "-m", "pytest", "vectordb=chroma"]) == ("", {}, [])


@pytest.mark.parametrize(("output", "made"), [(".", "/w"), ("out", "/w/out"), ("a/b", "/w/a/b")])
def test_the_folder_a_command_was_given_in_follows_from_its_output(output, made):
    assert command_line.started_in({"--output-dir": output}, {"_output_dir": made}) == Path("/w")
