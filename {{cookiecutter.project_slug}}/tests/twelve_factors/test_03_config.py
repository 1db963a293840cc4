"""III. Config: in the environment, every variable documented, read in one place."""

from __future__ import annotations

import ast
import re

from chatbot import settings
from chatbot.settings import home
from tests.sources import parsed


def test_the_example_names_every_variable_and_nothing_else() -> None:
    lines = (home() / ".env.example").read_text().splitlines()
    named = [match[1] for line in lines if (match := re.fullmatch(r"(?:# )?([A-Z][A-Z0-9_]*)=.*", line))]
    assert sorted(named) == sorted(settings.variables())


def test_the_environment_is_read_by_the_settings_only() -> None:
    """`dev` hands its own environment on to the processes it starts; the flows turn Prefect's telemetry off."""
    reading = []
    for file in sorted((home() / "src").rglob("*.py")):
        text = file.read_text("utf-8")
        for node in ast.walk(parsed(file)) if "environ" in text or "getenv" in text else ():
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                reading.append(file.name)
    assert set(reading) <= {"dev.py", "flows.py"}


def test_no_secret_has_a_value_in_the_code() -> None:
    secret = [settings.settings_class().model_fields[name] for name in settings.secret_names()]
    assert len(secret) >= 5
    assert [field.default.get_secret_value() for field in secret if not field.is_required()] == [""] * (len(secret) - 1)
