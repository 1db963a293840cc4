"""Take a later version of the template, or change a choice, on a branch of its own: `make upgrade`.

    make upgrade DRY_RUN=1            # say what would change, and change nothing
    make upgrade                      # the newest version
    make upgrade TO=0.3.0             # that version
    make upgrade VECTOR_DB=qdrant     # another choice, in the version that is in use

.cruft.json says which template, which version of it and which answers this project comes from. From them the project is
generated as it was and as it is to be, and git applies the difference to what you have made of it: a merge of three
ways, by git itself, whose conflicts are marked as always. TEMPLATE= names another place to fetch the template from.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECORD = ".cruft.json"
OPTIONS = ("TO", "DRY_RUN", "TEMPLATE")
OTHERS = ("PYTHON",)
"""Variables of the Makefile that are none of ours."""
VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
CONFIGURED = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
"""Of git's variables those that say where its settings are; the others would lead it to another repository."""
KINDS = {"A": "new", "D": "removed", "M": "changed"}


class Refused(Exception):
    """What is wrong and what to do, in one sentence."""


def git(*arguments: str, folder: Path = ROOT, check: bool = True, **environment: str) -> str:
    """What a git command prints; Refused with git's own words where it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in CONFIGURED}
    env = kept | environment
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace")
    if check and done.returncode:
        raise Refused(f"git {arguments[0]} said: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


@cache
def unknown_to_git() -> dict[str, str]:
    """Variables for what git does not know of who commits: from the answers, as in the project's first commit."""
    answers = answers_of(read_record())
    name = answers["author_name"].strip(" .,:;<>\"\\'") or answers["project_slug"]  # all that git keeps of a name
    missing = {
        part: value
        for part, value in (("NAME", name), ("EMAIL", answers["author_email"]))
        if not git("config", f"user.{part.lower()}", check=False)
    }
    return {f"GIT_{who}_{part}": value for part, value in missing.items() for who in ("AUTHOR", "COMMITTER")}


def committing(*arguments: str, folder: Path = ROOT, check: bool = True) -> str:
    """A git command that makes commits."""
    return git(*arguments, folder=folder, check=check, **unknown_to_git())


# What is asked for


@dataclass
class Wish:
    """What the command says: options, and the answers that are to change."""

    options: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)


def words_of_make(flags: str) -> list[str]:
    """The variables of a make command as they were typed: make hands them on with blanks escaped and $ doubled."""
    words = re.findall(r"(?:\\.|[^\s\\])+", flags.partition("-- ")[2])
    return [re.sub(r"\\(.)", r"\1", word).replace("$$", "$") for word in words]


def wished(words: list[str], known: set[str]) -> Wish:
    wish = Wish()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused(f"{word} is no NAME=value: write for example VECTOR_DB=qdrant.")
        if name.upper() in OPTIONS:
            wish.options[name.upper()] = value
        elif name.lower() in known:
            wish.answers[name.lower()] = value
        elif name not in OTHERS:
            near = get_close_matches(name.lower(), known, n=1)
            hint = f"; did you mean {near[0].upper()}?" if near else f". They are {', '.join(sorted(known))}."
            raise Refused(f"{name} is no question of the template{hint}")
    return wish


def read_record() -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((ROOT / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        raise Refused(f"{RECORD} is missing or broken: without it nobody knows what to compare with.") from None
    if not git("ls-files", RECORD):
        raise Refused(f"Commit {RECORD} first: git add {RECORD} && git commit.")
    if git("status", "--porcelain", "--untracked-files=no"):
        raise Refused("There are changes that are not committed: commit or stash them first.")
    return record


def answers_of(record: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in record["context"]["cookiecutter"].items() if not name.startswith("_")}


# The template


class Template:
    """A clone of the template, in a folder that is thrown away."""

    def __init__(self, address: str, folder: Path) -> None:
        self.folder, self.clone = folder, folder / "template.git"
        git("clone", "--quiet", "--bare", "--", address, str(self.clone), folder=folder)

    def commit(self, name: str) -> str:
        found = git("rev-parse", "--verify", "--quiet", f"{name}^0", folder=self.clone, check=False)
        if not found:
            raise Refused(f"The template has no version {name}. It has {', '.join(self.versions()) or 'no tags'}.")
        return found

    def versions(self) -> list[str]:
        """The tags that are versions, the newest last."""
        tags = [tag for tag in git("tag", folder=self.clone).split() if VERSION.fullmatch(tag)]
        return sorted(tags, key=number)

    def generated(self, commit: str, answers: dict[str, str]) -> Path:
        """A project as this commit makes it from the answers; questions that it does not ask are left out."""
        source, out = self.folder / commit, Path(tempfile.mkdtemp(dir=self.folder))
        if not source.exists():
            git("worktree", "add", "--quiet", "--detach", str(source), commit, folder=self.clone)
        asked = json.loads((source / "cookiecutter.json").read_text("utf-8"))
        given = {name: checked(name, value, asked[name]) for name, value in answers.items() if name in asked}
        call = {"template": str(source), "no_input": True, "default_config": True, "output_dir": str(out)}
        code = "import json, sys; from cookiecutter.main import cookiecutter; cookiecutter(**json.load(sys.stdin))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(call | {"extra_context": given}),
            env=os.environ | {"HOME": str(self.folder), "USERPROFILE": str(self.folder), "PWD": str(out)},
            cwd=out,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = re.search(r"^Nothing was generated: (.*)", done.stderr, re.M)
            raise Refused(said[1] if said else f"The template failed: {done.stderr.strip().splitlines()[-1]}")
        (project,) = out.iterdir()
        return project


def number(version: str) -> tuple[int, ...]:
    match = VERSION.fullmatch(version)
    return tuple(map(int, match.groups())) if match else ()


def checked(name: str, value: str, asked: Any) -> str:
    """An answer as cookiecutter must be given it: it takes a text for a template, so braces are quoted."""
    if isinstance(asked, list):
        if value not in asked:
            near = get_close_matches(value.lower(), asked, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise Refused(f"{name.upper()}={value} is not one of {', '.join(asked)}{hint}")
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "{" + "{ " + quoted + " }" + "}" if "{" in value else value


# The merge


def tree(project: Path, prefix: str, index: Path) -> str:
    """The repository's tree with this project in the place of the one that is there, as an object of git's."""
    place = {"GIT_DIR": git("rev-parse", "--absolute-git-dir"), "GIT_INDEX_FILE": str(index)}
    git("add", "--all", folder=project, GIT_WORK_TREE=str(project), **place)
    alone = git("write-tree", folder=project, **place)
    if not prefix:
        return alone
    git("read-tree", "HEAD", folder=project, **place)
    git("rm", "-r", "--cached", "--quiet", "--", prefix, folder=project, GIT_WORK_TREE=str(project), **place)
    git("read-tree", f"--prefix={prefix}", alone, folder=project, **place)
    return git("write-tree", folder=project, **place)


def difference(old: Path, new: Path, message: str, folder: Path) -> str:
    """A commit that holds what is between two generated projects, for git to apply."""
    prefix = git("rev-parse", "--show-prefix")
    base = committing("commit-tree", tree(old, prefix, folder / "index.old"), "-m", "As it was generated")
    return committing("commit-tree", tree(new, prefix, folder / "index.new"), "-p", base, "-m", message)


def changes(commit: str) -> list[str]:
    """A line for each file that the template has changed."""
    lines = git("diff", "--name-status", "--no-renames", "--relative", f"{commit}~", commit).splitlines()
    return [f"  {KINDS.get(line[0], 'changed'):<9}{line.split(maxsplit=1)[1]}" for line in lines]


def conflicts(folder: Path = ROOT) -> list[str]:
    return git("diff", "--name-only", "--diff-filter=U", folder=folder).splitlines()


def rehearse(commit: str, folder: Path) -> list[str]:
    """The files in which your changes and the template's meet, found in a work tree that is thrown away."""
    place = folder / "rehearsal"
    git("worktree", "add", "--quiet", "--detach", str(place), "HEAD")
    try:
        committing("cherry-pick", commit, folder=place, check=False)
        return conflicts(place)
    finally:
        git("worktree", "remove", "--force", str(place))


def merge(commit: str, branch: str) -> list[str]:
    """Apply it on a new branch. Returns the files in conflict, none when all is done."""
    if git("branch", "--list", branch):
        raise Refused(f"There is a branch {branch} already: merge it, or delete it with git branch -D {branch}.")
    git("switch", "--quiet", "--create", branch)
    committing("cherry-pick", commit, check=False)
    met = conflicts()
    if not met and git("log", "--format=%s", "-1") != git("log", "--format=%s", "-1", commit):
        said = git("status")
        git("cherry-pick", "--abort", check=False)
        raise Refused(f"git could not apply the changes: {said}")
    return met


# All of it


def version_of(record: dict[str, Any]) -> str:
    return str(record["context"]["cookiecutter"].get("_version", ""))


def base_of(template: Template, record: dict[str, Any]) -> str:
    """The commit this project comes from; by the tag of its version, where it was made from an archive."""
    version = version_of(record)
    tags = [tag for tag in template.versions() if number(tag) == number(version)]
    return template.commit(record["commit"] or (tags[0] if tags else version))


def target_of(template: Template, record: dict[str, Any], wish: Wish) -> tuple[str, str]:
    """The name and the commit that are wanted: what TO= says, or the newest version; a choice alone changes neither."""
    used, name = version_of(record), wish.options.get("TO", "")
    if not name and not wish.answers:
        name = next((tag for tag in template.versions()[::-1] if number(tag) > number(used)), "")
    return (name, template.commit(name)) if name else (used, base_of(template, record))


def new_record(
    record: dict[str, Any], address: str, commit: str, project: Path, answers: dict[str, str]
) -> dict[str, Any]:
    """The record of what the project is to be: the template's own, where it writes one."""
    written = project / RECORD
    context = json.loads(written.read_text("utf-8"))["context"] if written.exists() else {"cookiecutter": answers}
    context["cookiecutter"]["_template"] = address
    return record | {"template": address, "commit": commit, "checkout": None, "context": context}


def announce(what: str, commit: str, questions: set[str]) -> None:
    for question in sorted(questions):
        print(f"New question {question}: its default is taken; answer it with make upgrade {question.upper()}=…")
    print(f"{what}:", *changes(commit), sep="\n")


def carry_out(commit: str, branch: str) -> int:
    met = merge(commit, branch)
    if met:
        print(f"In conflict, on the branch {branch}: {', '.join(met)}.")
        print("Mend what git has marked there, git add the files, and git cherry-pick --continue;")
        print("or give up with git cherry-pick --abort && git switch -.")
        return 1
    print(f"Done, on the branch {branch}. Next: make check test, then merge it.")
    return 0


def upgrade(words: list[str], folder: Path) -> int:
    record = read_record()
    kept = answers_of(record)
    wish = wished(words, set(kept))
    answers, address = kept | wish.answers, wish.options.get("TEMPLATE") or record["template"]
    template = Template(address, folder)
    base, (name, commit) = base_of(template, record), target_of(template, record, wish)
    if (commit, answers) == (base, kept):
        print(f"Nothing to do: {name} is the newest version, and the answers are what you ask for.")
        return 0
    old, new = template.generated(base, kept), template.generated(commit, answers)
    written = new_record(record, address, commit, new, answers)
    (old / RECORD).write_bytes((ROOT / RECORD).read_bytes())
    (new / RECORD).write_text(json.dumps(written, indent=2, ensure_ascii=False) + "\n", "utf-8", newline="\n")
    chosen = [f"{key}={value}" for key, value in wish.answers.items()]
    what = " ".join([f"Upgrade to {name}" if commit != base else "Choose", *chosen])
    change = difference(old, new, what, folder)
    announce(what, change, answers_of(written).keys() - kept.keys())
    if wish.options.get("DRY_RUN"):
        met = rehearse(change, folder)
        print(f"Nothing was changed. In conflict with your own changes: {', '.join(met) or 'none'}.")
        return 0
    return carry_out(change, "-".join(["upgrade", name, *(re.sub(r"[^\w.=-]+", "-", each) for each in chosen)]))


def main() -> int:
    words = sys.argv[1:] or words_of_make(os.environ.get("MAKEFLAGS", ""))
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return upgrade(words, Path(folder).resolve())
    except FileNotFoundError as error:
        print(f"{error.filename} is needed and not installed.", file=sys.stderr)
    except Refused as refused:
        print(refused, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
