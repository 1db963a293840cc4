"""Finish the new project: narrow its lock to what was chosen, begin its history, say what is next.

Standard library only, no network. What cannot be done here is a warning: a good project is never lost.
"""

import json
import pathlib
import shutil
import subprocess
import sys

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
HEADER = "# Every package with its hashes, for every platform; `# for:` says which part of the project needs it.\n"
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
    """requirements-dev.lock arrives as the lock of all choices; leave what these choices need, with and without dev."""
    chosen = {"core"} | {f"{factor}.{ANSWERS[factor]}" for factor in FACTORS}
    dev = {"dev"} | {f"dev.{choice}" for choice in chosen}
    union = pathlib.Path("requirements-dev.lock")
    text = union.read_text(encoding="utf-8")
    for path, parts in (("requirements.lock", chosen), ("requirements-dev.lock", chosen | dev)):
        pathlib.Path(path).write_text(HEADER + "".join(narrowed(text, parts)), encoding="utf-8", newline="\n")


def begin_history():
    """A repository with one commit, by the author that git knows or else the one who was named in the answers."""
    git = shutil.which("git")
    if git is None:
        print("warning: git is not installed, so the project has no history yet.", file=sys.stderr)
        return
    if pathlib.Path(".git").exists():
        return  # generated anew over an older project: its owner commits
    # One pack instead of a file an object, and no housekeeping: half the time.
    options = ["-c", "core.bigFileThreshold=1", "-c", "pack.compression=0", "-c", "gc.auto=0"]
    if subprocess.run([git, "config", "user.email"], capture_output=True).returncode:
        options += ["-c", f"user.name={ANSWERS['author_name']}", "-c", f"user.email={ANSWERS['author_email']}"]
    for command in ("init --initial-branch=main", "add --all", "commit --no-gpg-sign --message=Generate"):
        done = subprocess.run([git, *options, *command.split()], capture_output=True, text=True)
        if done.returncode:
            print(
                f"warning: no history yet, since git {command.split()[0]} said: {done.stderr.strip()}", file=sys.stderr
            )
            return


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
