"""Look at the command that started cookiecutter for what it takes without a word: unknown keys, and files of answers.

A hook is told the answers only after the defaults have replaced what was wrong. The command line of its parent says
what was asked: /proc on Linux, ps elsewhere, and that for files only. On Windows there is neither, so only the answers
are checked.
"""

import os
import re
import subprocess
import sys
from pathlib import Path, PurePath

import answer_files

PROGRAM = re.compile(r"(cookiecutter|cruft)(\.exe)?")
VALUED = {
    "--checkout",
    "--directory",
    "--replay-file",
    "--output-dir",
    "--config-file",
    "--debug-file",
    "--accept-hooks",
}
SHORT = {"c": "--checkout", "o": "--output-dir"}


def words_of(process):
    """The words of a process's command, and whether they are exact: ps does not tell where one ends."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1], True
    except OSError:
        pass
    try:
        command = ["ps", "-ww", "-o", "args=", "-p", str(process)]
        return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout.split(), False
    except OSError:
        return [], False


def parsed(words):
    """The program, its options and its arguments: `("cookiecutter", {"--output-dir": "out"}, [".", "queue=nats"])`."""
    rest = iter(words)
    program = next((match[1] for word in rest if (match := PROGRAM.fullmatch(PurePath(word).name))), "")
    options, arguments = {}, []
    for word in rest:
        short = re.fullmatch(r"-[^-co]*([co])(.*)", word)
        if word == "--":
            arguments += rest
        elif short:
            options[SHORT[short[1]]] = short[2] or next(rest, "")
        elif word.startswith("--"):
            name, equals, value = word.partition("=")
            options[name] = value if equals else next(rest, "") if name in VALUED else ""
        elif not word.startswith("-"):
            arguments.append(word)
    return program, options, arguments


def started_in(options, answers):
    """The folder that the command was given in: cookiecutter has left it, but says what it made of --output-dir."""
    output = Path(options.get("--output-dir", "."))
    if output.is_absolute() or ".." in output.parts or "_output_dir" not in answers:
        return Path(os.environ.get("PWD", "."))
    return [made := Path(answers["_output_dir"]), *made.parents][len(output.parts)]


def problem(process, answers, questions):
    """What is wrong with the command that this process was started by, as one sentence; None when all is well."""
    words, exact = words_of(process)
    program, options, arguments = parsed(words)
    try:
        if program == "cookiecutter" and exact:
            check_arguments(arguments[1:], questions)
        if program:
            check_files(options, started_in(options, answers), questions)
    except answer_files.Refused as refused:
        return str(refused)
    return None


def check_arguments(arguments, questions):
    for word in arguments:
        key, _, value = word.partition("=")
        if key not in questions:
            raise answer_files.Refused(
                f"{key} on the command line is no question of this template{answer_files.nearest(key, questions)}"
            )
        answer_files.check_plain(f"{key} on the command line", value)


def check_files(options, folder, questions):
    """The file that the command names, or else the user's own settings, which serve all templates."""
    own = os.environ.get("COOKIECUTTER_CONFIG") or os.path.expanduser("~/.cookiecutterrc")
    if "--config-file" in options:
        path = folder / options["--config-file"]
        if not path.exists():
            print(f"warning: {path} was not found again, so its keys were not checked.", file=sys.stderr)
        elif path.is_file():
            answer_files.check_config_file(path, questions)
    elif "--default-config" not in options and os.path.isfile(own):
        answer_files.check_own_settings(own, questions)
