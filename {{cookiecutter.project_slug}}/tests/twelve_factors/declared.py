"""What the deployment files declare, read without a YAML library."""

from __future__ import annotations

import re

from chatbot.settings import home


def compose_services() -> dict[str, str]:
    """The services of deploy/compose.yaml: name -> the lines of its block."""
    text = (home() / "deploy" / "compose.yaml").read_text()
    section = re.split(r"^services:\n", text, maxsplit=1, flags=re.M)[1]
    section = re.split(r"^\S", section, maxsplit=1, flags=re.M)[0]
    parts = re.split(r"^  ([\w-]+):\n", section, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def compose_commands() -> dict[str, list[str]]:
    """The chatbot's own services: name -> arguments of `chatbot`."""
    commands = {}
    for name, block in compose_services().items():
        if "*chatbot" in block and (command := re.search(r"^    command: (.+)$", block, re.M)):
            commands[name] = re.sub(r'[\[\]",]', " ", command[1]).split()
    return commands
