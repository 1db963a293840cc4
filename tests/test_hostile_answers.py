"""Whatever somebody types in a text prompt is refused in one sentence, or stands in the project as it was typed.

Only the files that hold a text are rendered for each example: they are found by looking, so a new one is tested too.
"""

from __future__ import annotations

import ast
import html.parser
import json
import re
import tomllib
from email.headerregistry import Address
from pathlib import Path

import batch
import post_gen_project
import pre_gen_project
import pytest
import yaml
from conftest import CONTEXT, ROOT, SKELETON
from cookiecutter.utils import create_env_with_context
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader
from markdown_it import MarkdownIt

TEXTS = list(pre_gen_project.LENGTHS)
QUESTIONS = pre_gen_project.questions_of(CONTEXT)
DEPENDENCIES = pre_gen_project.dependencies_of(ROOT)
HOLDING = [
    path.relative_to(SKELETON)
    for path in sorted(SKELETON.rglob("*"))
    if path.is_file() and re.search(r"cookiecutter\.(project|description|author|license)", path.read_text("utf-8"))
]
"""Every file into which a text is written."""
NASTY = [
    "A \"quoted\" 'name'",
    "C:\\path\\new\\table",
    "ends with \\",
    "{{ cookiecutter._catalog }}",
    "{% if %}",
    "{# note",
    "${HOME} $(id) `id` ; rm -rf / | tee & #",
    "$$ & <b>bold</b> <script>alert(1)</script> &amp; <!-- -->",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "=== ---",
    "[a](javascript:x) ![b](c) *d* __e__ ~~f~~ | g | [^1]",
    "'''\"\"\"",
    "key: value",
    "- [x] !!python/object:os.system",
    "*anchor &anchor",
    "null",
    "true",
    "no",
    "0x1F",
    "2026-11-26",
    "مساعد المكتبة",
    "שלום עולם",
    "नमस्ते दुनिया",
    "e\u0301te\u0301 \u00e9t\u00e9",
    "Чат-бот",
    "聊天机器人",
    "🤖👩‍🔬🇫🇷",
    "Z\u0351\u036b\u0343a\u0321lgo",
    "İstanbul ıSPARTA",
    "con",
    "../../etc/passwd",
    "/absolute",
    "%s %(name)s {0} {name}",
    "line\u2028separator",
    "nul\0byte",
    "bell\a",
    "\ufeffmark",
    "half \ud800 a pair",
    "turned \u202e around",
    "no\u00a0break",
    "x" * 300,
    "\ufffe",
]
PIECES = st.one_of(
    st.text(max_size=12), st.sampled_from(NASTY), st.sampled_from(list("\"'\\{}%$`<>&#*_[]()!|~-+=:;,. \n\t"))
)
HOSTILE = st.lists(PIECES, min_size=1, max_size=4).map("".join)


class Page(html.parser.HTMLParser):
    """What a reader sees of Markdown, and which elements make it up."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.text, self.elements = "", []
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="session")
def rendered():
    """The files that hold answers, as cookiecutter renders them: `{path: text}`."""
    environment = create_env_with_context({"cookiecutter": CONTEXT})
    environment.loader = FileSystemLoader([str(SKELETON), str(ROOT / "templates")])
    templates = [(environment.from_string(str(p)), environment.get_template(p.as_posix())) for p in HOLDING]

    def render(answers: dict) -> dict[Path, str]:
        named = [(name.render(cookiecutter=answers), template) for name, template in templates]
        return {Path(name): file.render(cookiecutter=answers) for name, file in named if not name.endswith("/")}

    return render


def answered(**texts: str) -> dict:
    """The whole context, or None where the answers are refused, which takes one sentence."""
    answers = batch.resolved({"project_slug": "bot", **texts}, CONTEXT)
    sentence = pre_gen_project.problem(answers, QUESTIONS, DEPENDENCIES)
    if sentence:
        assert len(sentence.splitlines()) == 1
        assert len(sentence) < 300
        assert sentence.endswith(".")
        return None
    return answers


def check(files: dict[Path, str], answers: dict) -> None:
    """Every file parses, and says what was typed to whoever reads it."""
    for path, text in files.items():
        text.encode()
        if path.suffix == ".toml":
            tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            list(yaml.safe_load_all(text))
    project = tomllib.loads(files[Path("pyproject.toml")])["project"]
    assert project["description"] == answers["description"]
    assert project["authors"] == [{"name": answers["author_name"], "email": answers["author_email"]}]
    str(Address(display_name=answers["author_name"], addr_spec=answers["author_email"]))  # what hatchling makes of it
    bot = tomllib.loads(files[Path("src/chatbot/defaults.toml")])
    assert bot["bot_name"] == answers["project_name"]
    assert bot["privacy_contact"] == f"{answers['author_name']}, {answers['author_email']}"
    head = files[Path("README.md")].split("```")[0]
    page = Page(head)
    assert page.elements == ["h1", "p"]
    assert page.text == f"{answers['project_name']}\n{answers['description']}\n"
    foot = Page(files[Path("README.md")].split("## Licence")[1])
    assert foot.text.strip().startswith(f"Copyright (c) {answers['author_name']}, {answers['author_email']}. Licensed")
    assert foot.elements == ["p", "a"]


@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=HOSTILE, description=HOSTILE, author=HOSTILE)
@example(name='1. It\'s <b>"x"</b> \\n & C# $a$ _b_ :-)', description="- 100% {true}", author='"\\')
@example(name="#", description="0)", author="~")
def test_a_hostile_text_is_refused_in_one_sentence_or_stands_as_typed(rendered, name, description, author):
    answers = answered(project_name=name, description=description, author_name=author)
    if answers:
        check(rendered(answers), answers)


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_each_nasty_text_in_each_prompt(rendered, field, text):
    answers = answered(**{field: text})
    if answers:
        check(rendered(answers), answers)


ORDINARY = [text for text in NASTY if not re.search("[\0-\x1f\u2028\u202e\ud800\ufffe]|x{81}", text)]


@pytest.mark.parametrize("text", ORDINARY, ids=range(len(ORDINARY)))
def test_what_can_be_written_is_not_refused(text):
    assert answered(project_name=text, description=text, author_name=text) is not None


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mail=st.one_of(st.emails(), HOSTILE, st.tuples(HOSTILE, HOSTILE).map("@".join)))
@example(mail="k@münchen.de")
@example(mail="a..b@x.org")
@example(mail="a,b@x.org")
@example(mail="a@x_y.org")
@example(mail="a@b.0")
def test_an_address_is_refused_or_can_be_published(rendered, mail):
    answers = answered(author_email=mail)
    if answers:
        check(rendered(answers), answers)


@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(name=HOSTILE)
@example(name="2026 Bot")
@example(name="con")
@example(name="MCP")
@example(name="my_bot")
@example(name="a" * 80)
def test_a_name_in_any_script_brings_a_slug_that_is_taken_or_said_to_be_a_package_or_a_device(name):
    answers = batch.resolved({"project_name": name}, CONTEXT)
    wrong = pre_gen_project.wrong_slug(answers["project_slug"], DEPENDENCIES)
    assert wrong is None or "is a package" in wrong or "is a device" in wrong


@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(slug=st.one_of(HOSTILE, st.from_regex(r"[a-z][a-z0-9-]{0,60}", fullmatch=True)))
@example(slug="no")
@example(slug="a\n")
@example(slug="é")
def test_a_slug_is_refused_or_names_a_folder_an_image_and_a_distribution(rendered, slug):
    answers = batch.resolved({"project_slug": slug}, CONTEXT)
    if pre_gen_project.problem(answers, QUESTIONS, DEPENDENCIES):
        return
    files = rendered(answers)
    check(files, answers)
    assert tomllib.loads(files[Path("pyproject.toml")])["project"]["name"] == slug
    assert yaml.safe_load(files[Path("deploy/compose.yaml")])["name"] == slug
    image = yaml.safe_load(files[Path("deploy/kubernetes/base/kustomization.yaml")])["images"][0]["name"]
    assert image == slug


def test_the_limits_are_those_of_the_bots_own_settings():
    fields = (SKELETON / "src/chatbot/settings.py").read_text("utf-8")
    assert pre_gen_project.LENGTHS["project_name"] == int(re.search(r"bot_name: .*max_length=(\d+)", fields)[1])
    contact = int(re.search(r"privacy_contact: .*max_length=(\d+)", fields)[1])
    assert pre_gen_project.LENGTHS["author_name"] + pre_gen_project.LENGTHS["author_email"] + len(", ") <= contact


def test_a_whole_project_with_hostile_answers_parses_and_has_a_history(tmp_path):
    nasty = NASTY[0] + NASTY[1] + NASTY[6]
    texts = {"project_name": nasty[:80], "description": "".join(ORDINARY)[:200].strip(), "author_name": '"\\;'}
    fleet = {"projects": [texts | {"license": "MIT", "ci": "gitlab"}]}
    (tmp_path / "fleet.yaml").write_text(json.dumps(fleet), "utf-8")
    (project,) = batch.generate(tmp_path / "fleet.yaml", tmp_path / "out")
    assert (project.state, project.detail) == ("made", "")
    folder = tmp_path / "out" / project.slug
    parsers = {".py": ast.parse, ".toml": tomllib.loads, ".json": json.loads}
    parsers |= dict.fromkeys((".yaml", ".yml"), lambda text: list(yaml.safe_load_all(text)))
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    for path in files:
        parsers.get(path.suffix, str)(path.read_text("utf-8"))
    assert len(files) > 200
    assert '"\\;' in (folder / "LICENSE").read_text("utf-8")
    assert post_gen_project.asked("log", "--format=%s", folder=folder) == "Generate"
