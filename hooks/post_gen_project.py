"""Finish the new project: narrow its lock to what was chosen, record its origin, begin its history, say what is next.

Standard library only, no network. What cannot be done here is a warning: a good project is never lost. scripts/batch.py
imports it, and calls `finish` in the folder of each project.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HEADER = "# Every package with its hashes, for every platform; `# for:` says which part of the project needs it.\n"
SETTINGS = {
    # One pack instead of a file an object, and no housekeeping: half the time.
    "core.bigFileThreshold": 1,
    "pack.compression": 0,
    "gc.auto": 0,
    "maintenance.auto": "false",
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


def write_locks(answers):
    """The locks arrive as those of all choices; leave what these choices need: to run, to develop, with Prefect."""
    chosen = {"core"} | {f"{factor}.{answers[factor]}" for factor in FACTORS}
    dev = {"dev"} | {f"dev.{choice}" for choice in chosen}
    locks = [pathlib.Path(f"requirements-{name}.lock") for name in ("dev", "prefect")]
    union, prefect = (lock.read_text(encoding="utf-8") for lock in locks)
    written = {
        "requirements.lock": (union, chosen),
        "requirements-dev.lock": (union, chosen | dev),
        "requirements-prefect.lock": (prefect, chosen | {"prefect"}),
    }
    for path, (text, parts) in written.items():
        pathlib.Path(path).write_text(HEADER + "".join(narrowed(text, parts)), encoding="utf-8", newline="\n")


def git(*arguments, folder=".", settings=None):
    """Run git on that folder and no other: one of git's own hooks, say, hands on the repository that it works for."""
    kept = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_SYSTEM")
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in kept}
    command = ["git", "-C", str(folder)]
    for name, value in {**SETTINGS, **(settings or {})}.items():
        command += ["-c", f"{name}={value}"]
    return subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, errors="replace")


def asked(*arguments, folder="."):
    """What git answers to a question; empty when it has no answer."""
    return git(*arguments, folder=folder).stdout.strip()


def template_folder(answers):
    """The template's own folder: cookiecutter stands in it while a hook runs, and says its name."""
    named = answers.get("_repo_dir", "")
    places = (f"/proc/{os.getppid()}/cwd", named, pathlib.Path(os.environ.get("PWD", "."), named))
    found = (folder for folder in map(pathlib.Path, places) if (folder / "cookiecutter.json").is_file())
    return next((folder.resolve() for folder in found), None)


def origin(answers, folder):
    """Where the template can be had again, and its commit: `(address, commit)`; without git, None for the commit."""
    typed = answers["_template"]
    local = pathlib.Path(os.environ.get("PWD", "."), typed)
    here = str(folder) if folder and typed == answers["_repo_dir"] else str(local) if local.exists() else typed
    if not (folder and shutil.which("git") and (folder / ".git").exists()):
        return here, None
    remote = asked("config", "remote.origin.url", folder=folder)
    published = "://" in remote and asked("branch", "--remotes", "--contains", "HEAD", folder=folder)
    if remote and (published or typed != answers["_repo_dir"]):
        here = re.sub(r"(?<=://)[^/@]*@", "", remote)  # a password has no place in the project
    return here, asked("rev-parse", "--verify", "HEAD", folder=folder) or None


def record(answers, template, commit):
    """Keep the template, its version and the answers in .cruft.json, which `make upgrade` and cruft read."""
    kept = {name: answers[name] for name in sorted(answers) if not name.startswith("_")}
    kept |= {"_template": template, "_version": answers["_version"]}
    origin = {"template": template, "commit": commit, "checkout": answers.get("_checkout"), "directory": None}
    text = json.dumps(origin | {"context": {"cookiecutter": kept}}, indent=2, ensure_ascii=False)
    pathlib.Path(".cruft.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def author(answers):
    """Whoever git knows; what it does not know of them is taken from the answers."""
    name = answers["author_name"].strip(" .,:;<>\"\\'")  # git keeps nothing else at the ends of a name
    given = {"user.name": name or answers["project_slug"], "user.email": answers["author_email"]}
    return {key: value for key, value in given.items() if not asked("config", key)}


def begin_history(answers):
    """A repository with one commit, unless the project is part of one that is there already."""
    if shutil.which("git") is None:
        return warn("git is not installed, so the project has no history yet.")
    if pathlib.Path(".git").exists():
        return None  # generated anew over an older project: its owner commits
    around = asked("rev-parse", "--show-toplevel")
    if around and git("check-ignore", "--quiet", ".").returncode:
        print(f"The project is part of the repository {around}: commit it there.", file=sys.stderr)
        return None
    done = git("init")
    if not done.returncode:
        done = git("add", "--all")
    if not done.returncode:
        done = git("commit", "--quiet", "--no-gpg-sign", "--message=Generate", settings=author(answers))
    if done.returncode:
        warn(f"no history yet, since git said: {done.stderr.strip()}")
    return None


def warn(sentence):
    print(f"warning: {sentence}", file=sys.stderr)


NEXT = """
{project_name} is in {project_slug}/. Next, there:
  make demo    index its manual and answer a first question, offline
  make run     everything, with the chat page on http://127.0.0.1:8000
  make test    its tests, against the real services
Its README.md says how to add your documents, configure and deploy."""


def finish(answers, template, commit):
    """All that is to be done in the project's folder, which is the current one. The template: what `origin` says."""
    try:
        write_locks(answers)
        if "_repo_dir" in answers:  # cruft writes its own record
            record(answers, template, commit)
        begin_history(answers)
    except OSError as error:
        warn(f"the project is complete but not finished: {error}")


if __name__ == "__main__":
    ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a console that cannot show a name must not cost the project
    finish(ANSWERS, *(origin(ANSWERS, template_folder(ANSWERS)) if "_repo_dir" in ANSWERS else (None, None)))
    print(NEXT.format(**ANSWERS))
