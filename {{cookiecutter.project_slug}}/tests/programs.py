"""Programs of the machine that some tests need and no package brings.

Where one is missing, the tests that need it are skipped, with a sentence that says how to install it; under CI, where
everything is installed, they fail.

    git = program("git", package="git")
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def program(*names: str, package: str) -> str:
    """The path of the first of these programs that is there; `package` is Debian's."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or not_installed(f"{names[0]} is not installed: install it (Debian, Ubuntu: apt install {package}).")


def not_installed(sentence: str) -> NoReturn:
    """Give up the test: a skip on a laptop, a failure under CI."""
    give_up = pytest.fail if os.environ.get("CI") else pytest.skip
    give_up(sentence)
