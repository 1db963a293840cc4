"""Read templates/: a choice is one folder, and its part of cookiecutter.json is made of it.

templates/<factor>/<choice>/choice.toml   what the template knows of it; a key that is left out keeps its default
                            adapter.py    plain Python: the bot's module in src/chatbot/chosen/
                            manual.md     for the bot's owner: a part of the docs of the generated project
                            notes.md      for whoever chooses: how the adapter works, and its limits
                            server.py     only where no package brings a server for development: what services/ starts
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "templates"
FOLDERS = {"vector_db": "vector_store", "queue": "queue", "secrets_backend": "secrets"}
"""Each factor, and its folder under templates/: the name of the chosen module too."""
FILES = ("adapter.py", "choice.toml", "manual.md", "notes.md")
LABELS = 16
"""Columns of a prompt before the description of a choice."""
NAME = "[a-z][a-z0-9]{0,13}"
"""A choice is a word in a prompt, a key in TOML and, with a server, a module of services/."""

REQUIRED = {"label": str, "about": str, "tested": str, "comparison": dict}
"""What every choice.toml says; all other keys have defaults. docs/add-a-backend.md explains each."""
FOR_DOCS = ("label", "comparison")
"""What the generated project does not need to know."""
PACKAGES: dict[str, Any] = {"dependencies": [], "dev_dependencies": []}
SERVICE: dict[str, Any] = {
    **{"schemes": [], "example": "", **PACKAGES},
    **{"process": "", "environ": {}, "url": "", "ready": "", "apt": []},
    **{"image": "", "command": [], "container": {}, "port": 0, "volume": ""},
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "vector_db": {"stand_in": False, **SERVICE},
    "queue": {"durable": True, **SERVICE},
    "secrets_backend": {**PACKAGES, "variables": [], "identity": False, "mounts": []},
}


def choices(factor: str) -> dict[str, dict[str, Any]]:
    """What the folders of a factor say: choice -> all its keys. A folder that is not complete ends the program."""
    names = sorted(path.name for path in (TEMPLATES / FOLDERS[factor]).iterdir() if path.is_dir())
    return {name: _choice(folder(factor, name), DEFAULTS[factor]) for name in names}


def folder(factor: str, choice: str) -> Path:
    return TEMPLATES / FOLDERS[factor] / choice


def _choice(place: Path, defaults: dict[str, Any]) -> dict[str, Any]:
    if not re.fullmatch(NAME, place.name):
        _refuse(place, "is no name for a choice, which is at most 14 small letters and digits")
    for name in FILES:
        if not (place / name).is_file():
            _refuse(place / name, "is missing")
    file = place / "choice.toml"
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        _refuse(file, f"is not TOML: {error}")
    _check(file, said, REQUIRED | {key: type(value) for key, value in defaults.items()})
    if "variables" in said:
        said["variables"] = [{"default": ""} | variable for variable in said["variables"]]
    return {
        **dict.fromkeys(REQUIRED),
        **defaults,
        **said,
        "server": f"{place.name}.py" if (place / "server.py").is_file() else "",
    }


def _check(file: Path, said: dict[str, Any], kinds: dict[str, type]) -> None:
    """End the program when a key is unknown, of another type, or missing though it has no default."""
    for key, value in said.items():
        if key not in kinds:
            _refuse(file, f"says {key}, which is none of {', '.join(kinds)}")
        if type(value) is not kinds[key]:
            _refuse(file, f"says {key} = {value!r}, which should be {kinds[key].__name__}")
    for key in REQUIRED:
        if key not in said:
            _refuse(file, f"does not say {key}")


def _refuse(file: Path, problem: str) -> NoReturn:
    sys.exit(f"{file.relative_to(ROOT)} {problem}: see docs/add-a-backend.md.")


def complete(context: dict[str, Any]) -> dict[str, Any]:
    """cookiecutter.json with the choices, labels and entries of all folders; the choices keep their order.

    A new choice comes last. The first one is the default, and the one that is recommended.
    """
    new = dict(context, _catalog=dict(context["_catalog"]), __prompts__=dict(context["__prompts__"]))
    for factor in FOLDERS:
        found = choices(factor)
        old = [choice for choice in context[factor] if choice in found]
        new[factor] = old + [choice for choice in found if choice not in old]
        new["_catalog"][factor] = {choice: _entry(found[choice]) for choice in new[factor]}
        question = context["__prompts__"][factor]["__prompt__"]
        labels = {choice: f"{choice:<{LABELS}}{found[choice]['label']}" for choice in new[factor]}
        labels[new[factor][0]] += " (recommended)"
        new["__prompts__"][factor] = {"__prompt__": question, **labels}
    return new


def _entry(choice: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in choice.items() if key not in FOR_DOCS}
