"""Finish the new project: narrow its lock to what was chosen, begin its history, say what is next.

Standard library only, no network. What cannot be done here is a warning: a good project is never lost.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
HEADER = "# Every package with its hashes, for every platform; `# for:` says which part of the project needs it.\n"
SETTINGS = {
    # One pack instead of a file an object, and no housekeeping: half the time.
    "core.bigFileThreshold": 1,
    "pack.compression": 0,
    "gc.auto": 0,
    # Nothing that this machine would run at each commit, or leave out of it.
    "core.hooksPath": os.devnull,
    "core.excludesFile": os.devnull,
    "init.defaultBranch": "main",
}
"""Of git, while it begins the project's history."""
FACTORS = ("vector_db", "queue", "secrets_backend")


def blocks(lock):
    """The packages of a lock, each as its lines: `name==version`, its hashes, and last `# for: core, queue.redis`."""
    block = []
    for line in lock.splitlines(keepends=True):
        block.append(line)
        if line.startswith("    # for: "):
            yield block
            block = []


def narrowed(lock, wanted):
    """The lines of the packages that any of the `wanted` parts needs."""
    for block in blocks(lock):
        if wanted & set(block[-1].strip().removeprefix("# for: ").split(", ")):
            yield "".join(block)


def write_locks():
    """The locks arrive as those of all choices; leave what these choices need: to run, to develop, with Prefect."""
    chosen = {"core"} | {f"{factor}.{ANSWERS[factor]}" for factor in FACTORS}
    dev = {"dev"} | {f"dev.{choice}" for choice in chosen}
    union, prefect = (pathlib.Path(f"requirements-{name}.lock").read_text(encoding="utf-8") for name in ("dev", "prefect"))
    locks = {
        "requirements.lock": (union, chosen),
        "requirements-dev.lock": (union, chosen | dev),
        "requirements-prefect.lock": (prefect, chosen | {"prefect"}),
    }
    for path, (text, parts) in locks.items():
        pathlib.Path(path).write_text(HEADER + "".join(narrowed(text, parts)), encoding="utf-8", newline="\n")


def git(*arguments, settings=None):
    """Run git on this folder and no other: one of git's own hooks, say, hands on the repository that it works for."""
    kept = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in kept}
    command = ["git"]
    for name, value in {**SETTINGS, **(settings or {})}.items():
        command += ["-c", f"{name}={value}"]
    return subprocess.run([*command, *arguments], env=env, capture_output=True, text=True)


def author():
    """Whoever git knows; what it does not know of them is taken from the answers."""
    unknown = [name for name in ("name", "email") if not git("config", f"user.{name}").stdout.strip()]
    return {f"user.{name}": ANSWERS[f"author_{name}"] for name in unknown}


def begin_history():
    """A repository with one commit, unless the project is part of one that is there already."""
    if shutil.which("git") is None:
        print("warning: git is not installed, so the project has no history yet.", file=sys.stderr)
        return
    if pathlib.Path(".git").exists():
        return  # generated anew over an older project: its owner commits
    around = git("rev-parse", "--show-toplevel")
    if not around.returncode and git("check-ignore", "--quiet", ".").returncode:
        print(f"The project is part of the repository {around.stdout.strip()}: commit it there.", file=sys.stderr)
        return
    done = git("init")
    if not done.returncode:
        done = git("add", "--all")
    if not done.returncode:
        done = git("commit", "--no-gpg-sign", "--message=Generate", settings=author())
    if done.returncode:
        print(f"warning: no history yet, since git said: {done.stderr.strip()}", file=sys.stderr)


NEXT = """
{project_name} is in {project_slug}/. Next, there:
  make demo    index its manual and answer a first question, offline
  make run     everything, with the chat page on http://127.0.0.1:8000
  make test    its tests, against the real services
Its README.md says how to add your documents, configure and deploy."""


if __name__ == "__main__":
    try:
        write_locks()
        begin_history()
    except OSError as error:
        print(f"warning: the project is complete but not finished: {error}", file=sys.stderr)
    print(NEXT.format(**ANSWERS))
