"""Read answers from YAML, and refuse what is no question or no choice: file, line, key, and the nearest that is one.

The pre-generation hook uses it on the file that a cookiecutter command names, batch.py on a fleet.
Everything here raises Refused with one sentence. Text answers are taken as they stand in the file: `no` is "no".
"""

import difflib
import re
from pathlib import Path

import yaml

SETTINGS = ("default_context", "cookiecutters_dir", "replay_dir", "abbreviations")
"""What cookiecutter itself reads in a configuration file."""


class Refused(Exception):
    """What is wrong and what to do, as one sentence."""


def nearest(word, known):
    """The end of a sentence: a question, where one of the known words is near."""
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else "."


def documents(path):
    """The YAML documents of a file, as PyYAML's nodes, which know their lines."""
    try:
        loader = yaml.SafeLoader(Path(path).read_text(encoding="utf-8-sig"))
        nodes = []
        while loader.check_node():
            nodes.append(loader.get_node())
        return nodes
    except UnicodeDecodeError:
        raise Refused(f"{path} is not in UTF-8: save it in that encoding.") from None
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from None
    except yaml.reader.ReaderError as error:
        raise Refused(f"{path} holds the character U+{error.character:04X}, which YAML does not allow.") from None
    except yaml.MarkedYAMLError as error:
        raise Refused(f"{path} line {error.problem_mark.line + 1} is not YAML: {error.problem}.") from None
    except RecursionError:
        raise Refused(f"{path} is nested too deeply to hold answers.") from None


def place(path, node):
    return f"{path} line {node.start_mark.line + 1}"


def pairs(node, path):
    """The entries of a YAML mapping: `{key: (where it stands, node of its value)}`."""
    if not isinstance(node, yaml.MappingNode):
        raise Refused(f"{place(path, node)}: here must stand keys with values, such as `vector_db: chroma`.")
    written = [key.value for key, _ in node.value]
    again = [key for key, _ in node.value[::-1] if key.value != "<<" and written.count(key.value) > 1]
    if again:
        raise Refused(f"{place(path, again[0])}: {again[0].value} is there twice: leave one.")
    whole = yaml.MappingNode(node.tag, list(node.value))
    try:
        yaml.SafeLoader("").flatten_mapping(whole)  # `<<: *other`
    except yaml.MarkedYAMLError as error:
        raise Refused(f"{place(path, node)}: {error.problem}.") from None
    return {str(key.value): (place(path, key), value) for key, value in whole.value}


def answer(key, value, questions, where):
    """The text of one answer."""
    if key not in questions:
        raise Refused(f"{where}: {key} is no question of this template{nearest(key, questions)}")
    if not isinstance(value, yaml.ScalarNode):
        raise Refused(f"{where}: {key} takes one value, not several.")
    if value.tag.endswith(":null"):
        raise Refused(f"{where}: {key} has no value: write one, or leave the line out.")
    choices = questions[key]
    if isinstance(choices, list) and value.value not in choices:
        known = ", ".join(choices)
        raise Refused(f"{where}: {key} {value.value!r} is not one of {known}{nearest(value.value, choices)}")
    return value.value


def answers(node, questions, path):
    """All answers of a mapping."""
    return {key: answer(key, value, questions, where) for key, (where, value) in pairs(node, path).items()}


def check_config_file(path, questions):
    """Refuse what cookiecutter would pass over in a --config-file."""
    nodes = documents(path)
    if not nodes:
        raise Refused(f"{path} holds no answers: write `default_context:`, and the answers below it, indented.")
    found = pairs(nodes[0], path)
    for key, (where, _) in found.items():
        if key in questions:
            raise Refused(f"{where}: {key} stands outside `default_context:`: indent it below that line.")
        if key not in SETTINGS:
            raise Refused(f"{where}: {key} is no setting of cookiecutter{nearest(key, SETTINGS)}")
    if "default_context" in found:
        for key, (where, value) in pairs(found["default_context"][1], path).items():
            text = answer(key, value, questions, where)
            read = str(yaml.SafeLoader("").construct_object(value))
            if read != text:
                raise Refused(f"{where}: cookiecutter reads {key} as {read!r}: put {text} between quotes.")
            check_plain(f"{where}: {key}", text)


def check_own_settings(path, questions):
    """Refuse a choice in the user's own settings that is none of this template's: cookiecutter drops all after it."""
    for node in documents(path)[:1]:
        context = pairs(node, path).get("default_context")
        for key, (where, value) in pairs(context[1], path).items() if context else ():
            if isinstance(questions.get(key), list):
                try:
                    answer(key, value, questions, where)
                except Refused as refused:
                    raise Refused(f"{refused} Or leave out that file with --default-config.") from None


def check_plain(what, text):
    """Refuse what cookiecutter takes for a template in a default: the text would not arrive as it was typed."""
    if re.search(r"\{[{%#]", text):
        raise Refused(
            f"{what} holds {{{{, {{% or {{#, which cookiecutter evaluates: answer at the prompt, or `make batch`."
        )
