"""The folders of the choices, the catalogue, the labels and the skeleton agree; a forgotten place fails here."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import catalogue
import choices
import pytest
from conftest import CATALOG, CONTEXT, FACTORS, ROOT, SKELETON
from cookiecutter.generate import is_copy_only_path

CHOICES = [name for name, value in CONTEXT.items() if isinstance(value, list) and not name.startswith("_")]
PROMPTS = [name for name in CONTEXT if not name.startswith("_")]


def defined(factor: str, choice: str) -> dict[str, Any]:
    """The classes and functions at the top level of an adapter, by name."""
    body = ast.parse(catalogue.folder(factor, choice).joinpath("adapter.py").read_text("utf-8")).body
    return {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def value(node: ast.AST) -> str:
    """What is written as a default: `"chatbot"`, `Path("…")` and `SecretStr("")` alike."""
    return ast.literal_eval(node.args[0] if isinstance(node, ast.Call) else node)


def test_the_catalogue_comes_first_so_that_every_variable_can_use_it():
    assert next(iter(CONTEXT)) == "_catalog"


def test_there_are_twelve_prompts_at_most_and_each_has_a_label():
    assert len(PROMPTS) <= 12
    assert list(CONTEXT["__prompts__"]) == PROMPTS


@pytest.mark.parametrize("name", CHOICES)
def test_each_choice_has_one_label_that_begins_with_it_or_its_language(name):
    labels = dict(CONTEXT["__prompts__"][name])
    assert labels.pop("__prompt__")
    assert list(labels) == CONTEXT[name]
    if name != "language":
        assert all(label.split()[0] == choice for choice, label in labels.items())
    starts = {re.match(r"\S+ +", label).end() for label in labels.values()}
    assert len(starts) == 1, "the descriptions are not aligned"


@pytest.mark.parametrize("name", [name for name in CHOICES if name not in ("ci", "corpus")])
def test_the_recommendation_is_marked_and_is_the_default(name):
    labels = CONTEXT["__prompts__"][name]
    assert [choice for choice in CONTEXT[name] if "(recommended)" in labels[choice]] == CONTEXT[name][:1]


@pytest.mark.parametrize("factor", FACTORS)
def test_choices_catalogue_and_folders_agree(factor):
    assert list(CATALOG[factor]) == CONTEXT[factor]
    assert {path.name for path in (ROOT / "templates" / FACTORS[factor]).iterdir()} == set(CONTEXT[factor])


def test_cookiecutter_json_and_the_pages_are_what_the_folders_say():
    assert [path.name for path, text in choices.generated().items() if path.read_text("utf-8") != text] == []


@pytest.mark.parametrize("factor", FACTORS)
def test_a_server_for_development_is_in_the_folder_of_its_choice(factor):
    named = {choice: entry["server"] for choice, entry in CATALOG[factor].items() if entry["server"]}
    there = {path.parent.name: f"{path.parent.name}.py" for path in (ROOT / "templates").glob("*/*/server.py")}
    assert named.items() <= there.items()
    assert there.keys() & set(CONTEXT[factor]) == named.keys()


def test_no_two_files_of_services_have_one_name():
    servers = [entry["server"] for factor in FACTORS for entry in CATALOG[factor].values() if entry["server"]]
    names = servers + [path.name for path in (SKELETON / "services").glob("*.py")]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("factor", FACTORS)
def test_entries_of_one_factor_have_the_same_keys(factor):
    assert len({tuple(entry) for entry in CATALOG[factor].values()}) == 1


@pytest.mark.parametrize(
    ("factor", "exports"),
    [("vector_db", {"connect"}), ("queue", {"connect"}), ("secrets_backend", {"Variables", "sources"})],
)
def test_adapters_of_one_factor_export_what_the_bot_imports(factor, exports):
    for choice in CONTEXT[factor]:
        assert exports <= defined(factor, choice).keys(), choice


@pytest.mark.parametrize("factor", ["vector_db", "queue"])
def test_the_urls_of_a_choice_begin_with_a_scheme_that_it_takes(factor):
    for choice, entry in CATALOG[factor].items():
        assert entry["schemes"], choice
        assert all(url.split("://")[0] in entry["schemes"] for url in (entry["url"], entry["example"]) if url), choice


@pytest.mark.parametrize("choice", CONTEXT["secrets_backend"])
def test_the_variables_of_a_secrets_backend_are_those_of_its_adapter(choice):
    """Name, meaning and default: the settings take them from the adapter, `.env.example` and the manual from here."""
    fields = [node for node in defined("secrets_backend", choice)["Variables"].body if isinstance(node, ast.AnnAssign)]
    found = []
    for field in fields:
        said = {keyword.arg: value(keyword.value) for keyword in field.value.keywords}
        found.append({"default": said["default"], "name": field.target.id.upper(), "about": said["description"]})
    assert found == CATALOG["secrets_backend"][choice]["variables"]


@pytest.mark.parametrize("factor", FACTORS)
def test_siblings_are_compared_in_the_same_columns(factor):
    assert len({tuple(said["comparison"]) for said in catalogue.choices(factor).values()}) == 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for one more queue, complete, in a copy of templates/."""
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    monkeypatch.setattr(catalogue, "TEMPLATES", tmp_path / "templates")
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    return Path(shutil.copytree(ROOT / "templates/queue/redis", tmp_path / "templates/queue/kafka"))


def test_a_folder_more_is_a_choice_more_the_last_of_its_factor(folder):
    (folder / "server.py").touch()
    context = catalogue.complete(CONTEXT)
    assert context["queue"] == [*CONTEXT["queue"], "kafka"]
    assert list(context["__prompts__"]["queue"])[-1] == "kafka"
    assert context["__prompts__"]["queue"]["kafka"] == "kafka           Redis streams"
    assert context["_catalog"]["queue"]["kafka"] == CATALOG["queue"]["redis"] | {"server": "kafka.py"}
    shutil.rmtree(folder)
    assert json.dumps(catalogue.complete(context)) == json.dumps(CONTEXT)


@pytest.mark.parametrize("name", catalogue.FILES)
def test_a_folder_that_is_not_complete_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(SystemExit, match=rf"^templates/queue/kafka/{name} is missing: see docs/add-a-backend\.md\.$"):
        catalogue.choices("queue")


@pytest.mark.parametrize("name", ["Kafka", "apache-kafka", "apachekafka2026"])
def test_a_folder_whose_name_no_prompt_and_no_module_can_have_is_refused(folder, name):
    folder.rename(folder.with_name(name))
    with pytest.raises(SystemExit, match=f"^templates/queue/{name} is no name for a choice, "):
        catalogue.choices("queue")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("label =", "is not TOML: "),
        ("about = 'Kafka'", "does not say label"),
        ("imge = 'kafka:4'", "says imge, which is none of label, about, "),
        ("label = 'Kafka'\nport = '9092'", "says port = '9092', which should be int"),
        ("label = 'Kafka'\ndurable = 1", "says durable = 1, which should be bool"),
    ],
)
def test_a_choice_that_says_something_else_is_refused_in_one_sentence(folder, line, problem):
    file = folder / "choice.toml"
    file.write_text(line + "\n" + re.sub("^(label|port|durable|about) = .*\n", "", file.read_text("utf-8"), flags=re.M))
    with pytest.raises(SystemExit, match=r"^templates/queue/kafka/choice\.toml " + re.escape(problem)) as refused:
        catalogue.choices("queue")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["corpus", "ci", "license"])
def test_the_other_choices_are_in_the_catalogue(name):
    assert list(CATALOG[name]) == CONTEXT[name]


def test_no_python_holds_jinja_but_the_one_line_hosts():
    host = re.compile(r'\{% include "\w+/" ~ cookiecutter\.\w+ ~ "/adapter\.py" %\}\n?')
    with_jinja = {
        path: text
        for folder in (SKELETON, ROOT / "templates")
        for path in folder.rglob("*.py")
        if re.search(r"\{[{%#]\s*\S", text := path.read_text("utf-8")) and "cookiecutter" in text
    }
    assert sorted(path.name for path in with_jinja) == ["queue.py", "secrets.py", "vector_store.py"]
    assert all(host.fullmatch(text) for text in with_jinja.values())


def test_what_holds_no_jinja_is_copied_as_it_is_and_the_list_of_it_can_be_read():
    """Cookiecutter copies a folder that is listed whole; `*` in a pattern would cross folders."""
    listed = CONTEXT["_copy_without_render"]
    assert [name for name in listed if not any(SKELETON.glob(name))] == []
    context = {"cookiecutter": CONTEXT}
    for file in SKELETON.rglob("*"):
        path = file.relative_to(SKELETON)
        if file.is_dir() or "__pycache__" in path.parts:
            continue
        copied = any(is_copy_only_path(str(part), context) for part in (path, *path.parents))
        holds = re.search(r"\{[{%].*cookiecutter\.", str(path) + file.read_text("utf-8"))
        assert copied != bool(holds), f"{path}: see _copy_without_render"


def test_fewer_than_ten_lines_in_a_thousand_hold_a_condition():
    control = re.compile(r"\{%-?\s*(if|elif|else|endif)\b")
    files = [path for folder in (SKELETON, ROOT / "templates") for path in folder.rglob("*") if path.is_file()]
    lines = [line for path in files if path.suffix != ".lock" for line in path.read_text("utf-8").splitlines()]
    assert 1000 * sum(bool(control.search(line)) for line in lines) / len(lines) < 10
