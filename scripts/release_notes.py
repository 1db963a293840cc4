"""Print the notes of a release, from the changelog: `python scripts/release_notes.py 0.2.0`.

Standard library only. A version that is not the one in cookiecutter.json, or has no section, is refused: exit 1.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def notes(version: str) -> str:
    """The section of that version, without its heading. ValueError when it may not be released."""
    current = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))["_version"]
    if version != current:
        raise ValueError(f"The tag is {version}, but cookiecutter.json says {current}: raise it first.")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise ValueError(f"CHANGELOG.md says nothing of {version}.")
    return section[1].strip() + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(notes(*sys.argv[1:2] or [""]))
    except ValueError as error:
        sys.exit(str(error))
