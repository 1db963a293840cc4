"""Refuse answers that would make a broken project, before anything is written: one sentence that says what to type."""

import json
import re
import sys

import cookiecutter

OLDEST = (2, 3)
"""The first cookiecutter that finds what is kept in templates/, and tells its version right."""
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
TEXTS = ("project_name", "description", "author_name", "author_email")


def too_old():
    """What is wrong with the program that generates, whose Python this is; None when nothing is."""
    version = cookiecutter.__version__
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"cookiecutter {version} is too old, {oldest} or newer is needed: pipx install cookiecutter."
    return None


def problem(answers):
    """The first thing that is wrong with the answers, as one sentence; None when all is well."""
    slug = answers["project_slug"]
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug) or len(slug) > 50:
        return (
            f"project_slug {slug!r} cannot name a folder and a distribution: type 1 to 50 small letters, digits and "
            "single hyphens, a letter first, such as my-chatbot."
        )
    for name in TEXTS:
        if re.search(r'[\x00-\x1f\x7f"\\]', answers[name]):
            return (
                f"{name} holds a character that configuration files cannot carry: type it on one line, without "
                'double quotes (") and backslashes (\\).'
            )
        if not answers[name].strip() or len(answers[name]) > 200:
            return f"{name} is empty or longer than 200 characters: type a short text."
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+", answers["author_email"]):
        return f"author_email {answers['author_email']!r} is not an e-mail address: type one such as name@example.org."
    return None


if __name__ == "__main__":
    sentence = too_old() or problem(ANSWERS)
    if sentence:
        sys.exit(f"Nothing was generated: {sentence}")
