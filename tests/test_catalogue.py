"""The choices, their labels, the catalogue and the adapter files agree; a forgotten place fails here at once."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from conftest import CATALOG, CONTEXT, FACTORS, ROOT, SKELETON

CHOICES = [name for name, value in CONTEXT.items() if isinstance(value, list) and not name.startswith("_")]
PROMPTS = [name for name in CONTEXT if not name.startswith("_")]


def adapters(folder: str) -> set[str]:
    return {path.stem for path in (ROOT / "templates" / folder).glob("*.py")}


def public_names(path: Path) -> set[str]:
    """What a module defines at its top level without an underscore, imports aside."""
    names: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


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
def test_choices_catalogue_and_adapter_files_agree(factor):
    assert list(CATALOG[factor]) == CONTEXT[factor]
    assert adapters(FACTORS[factor]) == set(CONTEXT[factor])


def test_the_servers_of_the_catalogue_have_their_files():
    named = [entry["server"] for factor in FACTORS for entry in CATALOG[factor].values() if entry["server"]]
    assert sorted(named) == sorted(path.name for path in (ROOT / "templates" / "servers").glob("*.py"))


@pytest.mark.parametrize("factor", FACTORS)
def test_entries_of_one_factor_have_the_same_keys(factor):
    assert len({tuple(entry) for entry in CATALOG[factor].values()}) == 1


@pytest.mark.parametrize(
    ("factor", "exports"),
    [("vector_db", {"SCHEMES", "connect"}), ("queue", {"SCHEMES", "connect"}), ("secrets_backend", {"sources"})],
)
def test_adapters_of_one_factor_export_what_the_bot_imports(factor, exports):
    for path in (ROOT / "templates" / FACTORS[factor]).glob("*.py"):
        assert exports <= public_names(path), path.name


@pytest.mark.parametrize("name", ["corpus", "ci", "license"])
def test_the_other_choices_are_in_the_catalogue(name):
    assert list(CATALOG[name]) == CONTEXT[name]


def test_no_python_holds_jinja_but_the_one_line_hosts():
    host = re.compile(r'\{% include "\w+/" ~ cookiecutter\.\w+ ~ "\.py" %\}\n?')
    with_jinja = {
        path: text
        for folder in (SKELETON, ROOT / "templates")
        for path in folder.rglob("*.py")
        if re.search(r"\{[{%#]\s*\S", text := path.read_text("utf-8")) and "cookiecutter" in text
    }
    assert sorted(path.name for path in with_jinja) == ["queue.py", "secrets.py", "vector_store.py"]
    assert all(host.fullmatch(text) for text in with_jinja.values())


def test_fewer_than_ten_lines_in_a_thousand_hold_a_condition():
    control = re.compile(r"\{%-?\s*(if|elif|else|endif)\b")
    files = [path for folder in (SKELETON, ROOT / "templates") for path in folder.rglob("*") if path.is_file()]
    lines = [line for path in files if path.suffix != ".lock" for line in path.read_text("utf-8").splitlines()]
    assert 1000 * sum(bool(control.search(line)) for line in lines) / len(lines) < 10
