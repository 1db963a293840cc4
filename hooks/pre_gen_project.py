"""Refuse answers that would make a broken or a wrong project, before anything is written: one sentence, what to type.

The rules stand here; scripts/batch.py imports them. What cookiecutter itself takes without a word, an unknown key or a
choice that does not exist, is found by scripts/command_line.py, in the template's folder. Standard library only, and
cookiecutter itself, whose Python this is.
"""

import json
import os
import pathlib
import re
import sys
import unicodedata

import cookiecutter

OLDEST = (2, 3)
"""The first cookiecutter that finds what is kept in templates/, and tells its version right."""
LENGTHS = {"project_name": 80, "description": 200, "author_name": 100, "author_email": 98}
"""Each text, and how long it may be: the bot's settings take a name of 80 characters and a contact of 200."""
ATOM = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"\w([\w-]*\w)?"
MAIL = re.compile(rf"{ATOM}(\.{ATOM})*@{LABEL}(\.{LABEL})+")
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Controls that turn the order of characters around: a line of a file would read other than it is."""
WINDOWS = {"con", "prn", "aux", "nul"} | {f"{device}{digit}" for device in ("com", "lpt") for digit in range(10)}
"""Devices: no folder may have such a name there."""


def too_old():
    """What is wrong with the program that generates, as one sentence; None when nothing is."""
    version = cookiecutter.__version__
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"cookiecutter {version} is too old, {oldest} or newer is needed: pipx install cookiecutter."
    return None


def problem(answers, questions=None, dependencies=frozenset()):
    """The first thing that is wrong with the answers, as one sentence; None when all is well.

    `questions`: each question's default, or the list of its choices. `dependencies`: names that the slug may not take.
    """
    for name, choices in (questions or {}).items():
        if isinstance(choices, list) and answers.get(name, choices[0]) not in choices:
            return f"{name} {shown(answers[name])} is not one of {', '.join(choices)}."
    wrong = (wrong_text(name, answers[name]) for name in LENGTHS)
    return wrong_slug(answers["project_slug"], dependencies) or next(filter(None, wrong), None) or wrong_mail(answers)


def wrong_slug(slug, dependencies):
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug) or len(slug) > 50:
        return (
            f"project_slug {shown(slug)} cannot name a folder and a distribution: type 1 to 50 small letters, digits "
            "and single hyphens, a letter first, such as my-chatbot."
        )
    if slug in WINDOWS:
        return f"project_slug {slug!r} is a device on Windows: type another, such as {slug}-chatbot."
    if slug in dependencies:
        return (
            f"project_slug {slug!r} is a package that the chatbot itself needs: type another, such as {slug}-chatbot."
        )
    return None


def wrong_text(name, text):
    if not text.strip() or len(text) > LENGTHS[name]:
        return f"{name} is empty or longer than {LENGTHS[name]} characters: type a short text."
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or ord(c) & 0xFFFE == 0xFFFE for c in text):
        return (
            f"{name} holds a character that text files cannot carry: type it on one line, without control characters."
        )
    if any(c in TURNING for c in text):
        return f"{name} holds a control that turns the order of characters around: type it without."
    if text != text.strip():
        return f"{name} begins or ends with a space: type it without."
    return None


def wrong_mail(answers):
    mail = answers["author_email"]
    if not MAIL.fullmatch(mail):
        return f"author_email {shown(mail)} is not an e-mail address: type one such as name@example.org."
    return None


def shown(text):
    """The text between quotes, cut where it is long."""
    return repr(text if len(text) <= 60 else text[:60] + "…")


def template_folder(answers):
    """The template's own folder: cookiecutter stands in it while a hook runs, and says its name."""
    named = answers.get("_repo_dir", "")
    places = (f"/proc/{os.getppid()}/cwd", named, pathlib.Path(os.environ.get("PWD", "."), named))
    return next((folder for folder in map(pathlib.Path, places) if (folder / "cookiecutter.json").is_file()), None)


def questions_of(context):
    return {name: value for name, value in context.items() if not name.startswith("_")}


def dependencies_of(folder):
    """The names of the packages that any combination needs."""
    (lock,) = folder.glob("*cookiecutter.project_slug*/requirements-dev.lock")
    return set(re.findall(r"^([a-z0-9][a-z0-9-]*)==", lock.read_text(encoding="utf-8"), re.M))


def refusal(answers):
    """Why nothing is to be generated, as one sentence; None when all is well."""
    folder = template_folder(answers)
    if folder is None:
        print("warning: the template's folder was not found, so only the texts were checked.", file=sys.stderr)
        return problem(answers)
    context = json.loads((folder / "cookiecutter.json").read_text(encoding="utf-8"))
    questions = questions_of(context)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder / "scripts"))
    import command_line

    wrong = command_line.problem(os.getppid(), answers, questions)
    if not wrong and answers["_catalog"] != context["_catalog"]:
        wrong = "the replay was recorded with another version of the template: give the answers in a --config-file."
    return wrong or problem(answers, questions, dependencies_of(folder))


if __name__ == "__main__":
    ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
    sys.stderr.reconfigure(errors="backslashreplace")
    sentence = too_old() or refusal(ANSWERS)
    if sentence:
        sys.exit(f"Nothing was generated: {sentence}")
