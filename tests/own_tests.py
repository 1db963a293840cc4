"""Runs a generated project's own tests, and reads what they print: how many passed, what was missing, what took twice.

A test that fails is run once more, alone: a busy machine may have been too slow for it. That it passed then is not the
end of it: it is counted and named, at the end of the run and in docs/matrix.md, and for as long as it stands in the
record of the last ten runs it is not run again but fails. What needs two attempts now and then is to be mended.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import matrix

REASONS = re.compile(r"\S+ is not installed: install it \(.*apt install .*\)|only Linux ")
"""Why a test may be skipped: a program that is missing, or a system that cannot do what is tested."""


@dataclass(frozen=True)
class OwnTests:
    """What a run of pytest said."""

    output: str
    repeated: list[str] = field(default_factory=list)
    """The tests that failed at first: `tests/unit/test_cli.py::test_wrong_usage_is_2`."""

    @property
    def passed(self) -> int:
        """At last, that is."""
        (summary,) = re.findall(r"^=*\s?((?:\d+ failed, )?\d+ passed.*) in .*$", self.output, re.M)
        return int(re.search(r"(\d+) passed", summary)[1]) + len(self.repeated)

    @property
    def failures(self) -> str:
        """What was said of those tests when they failed: the end of it, if it is long."""
        said = re.split(r"^=+ (?:ERRORS|FAILURES) =+$", self.output, maxsplit=1, flags=re.M)[-1]
        return said.partition("= short test summary info =")[0][-8000:] if self.repeated else ""

    @property
    def missing(self) -> dict[str, int]:
        """Why tests were skipped, and how many: what is not installed, with how to install it."""
        reasons: dict[str, int] = {}
        for number, reason in re.findall(r"^SKIPPED \[(\d+)\] \S+?(?::\d+)?: (.*)$", self.output, re.M):
            assert REASONS.match(reason), reason
            reasons[reason] = reasons.get(reason, 0) + int(number)
        return reasons


def own_tests(run: Callable[..., str], *command: str, again: str = "--last-failed") -> OwnTests:
    """Run `command`, a pytest, and with `again` behind it what failed. AssertionError: what failed twice."""
    try:
        return OwnTests(run(*command))
    except AssertionError as error:
        repeated = failed(str(error))
        if not repeated or not matrix.repeated_lately().isdisjoint(repeated):
            raise
        run(*command, again)
        return OwnTests(str(error), repeated)


def failed(output: str) -> list[str]:
    """The tests that a run says at its end have failed."""
    return re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.M)
