"""Write the locks of this repository, with the network: `make lock`.

the skeleton's requirements-dev.lock   every choice of every factor, universal and hashed. The last line of each package
                                       says who needs it (`# for: core, queue.redis`); the post-generation hook keeps
                                       what was chosen.
the skeleton's requirements-prefect.lock   the same for what runs the pipelines: the runtime with the extras. Prefect
                                       has ceilings that the rest need not bow to, so it is resolved apart, near the
                                       first.
the skeleton's deploy/prefect/server.lock   Prefect's server, from the server.in beside it: it needs an older FastAPI
                                       than the chatbot, and so an environment of its own.
requirements.lock                      the tools of this repository itself, from pyproject.toml.
requirements-publish.lock              what builds its site and its bill of materials, which nothing else needs.

The union is resolved once, so a package has the same version in every combination. Then each part is resolved again
under those versions, which tells exactly what it needs: extras and markers make «via» comments say too much.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import catalogue

ROOT = Path(__file__).parents[1]
SKELETON = ROOT / "{{cookiecutter.project_slug}}"
UNION = SKELETON / "requirements-dev.lock"
PREFECT = SKELETON / "requirements-prefect.lock"
SERVER = SKELETON / "deploy" / "prefect" / "server.lock"
FACTORS = tuple(catalogue.FOLDERS)
PYTHON = "3.11"
OVERRIDES = (
    "onnxruntime>=1.27,<2; sys_platform == 'linux' or (sys_platform == 'darwin' and platform_machine == 'arm64')",
    "pytrec-eval-terrier>=0.5.11,<0.6; platform_machine != 'aarch64'",
)
"""What is asked of a package whoever asks for it. Chroma's client wants ONNX Runtime everywhere, for an embedder that
the chatbot does not use; there is no wheel of it for Macs with Intel processors, where every project would fail. What
computes the figures of ir-measures has no wheel for Linux on arm64: `run benchmark` says so there."""


def parts() -> dict[str, list[str]]:
    """The requirements of each part: core, prefect (all extras), dev, every choice as `factor.choice`, its tools as
    `dev.factor.choice`."""
    context = json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))
    skeleton = (SKELETON / "pyproject.toml").read_text("utf-8")
    plain = tomllib.loads(re.sub(r"\{%.*?%\}|^.*\{\{ dependency \}\}.*$|\{\{.*?\}\}", "", skeleton, flags=re.M))
    project = plain["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    found = {"core": project["dependencies"], "prefect": extras, "dev": plain["dependency-groups"]["dev"]}
    for factor in FACTORS:
        for choice in context[factor]:
            entry = context["_catalog"][factor][choice]
            found[f"{factor}.{choice}"] = entry["dependencies"]
            if entry["dev_dependencies"]:
                found[f"dev.{factor}.{choice}"] = entry["dev_dependencies"]
    return found


def compile(requirements: list[str], *options: str) -> str:
    """What uv resolves the requirements to, for every platform, as the text of a requirements file."""
    with tempfile.TemporaryDirectory() as folder:
        asked, overrides = Path(folder, "asked.in"), Path(folder, "overrides.txt")
        asked.write_text("\n".join(requirements), "utf-8")
        overrides.write_text("\n".join(OVERRIDES), "utf-8")
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--no-header", "--python-version", PYTHON]
        command += ["--override", str(overrides), *options, str(asked)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"uv cannot resolve the requirements:\n{done.stderr}")
    return done.stdout


def names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock, flags=re.M))


def annotated(lock: str, needed: dict[str, set[str]]) -> str:
    """The lock with each package's «via» comment replaced by the parts that need it."""
    lines = []
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.M)[1:]:
        name = block.split("==")[0]
        kept = [line for line in block.splitlines() if not line.lstrip().startswith("#")]
        wanted = ", ".join(part for part, packages in needed.items() if name in packages)
        lines += [*kept, f"    # for: {wanted}"]
    return "\n".join(lines) + "\n"


def locked(requirements: dict[str, list[str]], near: str = "") -> str:
    """The annotated lock of these parts together; `near` is a lock whose versions are kept where they fit."""
    everything = [line for part in requirements.values() for line in part]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as pins:
        output = Path(pins.name)
        output.write_text(near, "utf-8")
        compile(everything, "--generate-hashes", "--output-file", pins.name)
        lock = output.read_text("utf-8")
        output.write_text(re.sub(r" \\$|^    --hash.*$|^ *#.*$", "", lock, flags=re.M), "utf-8")
        fixed = ("--constraints", pins.name, "--no-annotate")
        core = names(compile(requirements["core"], *fixed))
        needed = {"core": core}
        for part, lines in requirements.items():
            if part != "core":
                needed[part] = names(compile([*requirements["core"], *lines], *fixed)) - core
    return annotated(lock, needed)


def tools(group: str) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return compile(project["dependency-groups"][group], "--generate-hashes", "--no-annotate")


def server() -> str:
    wanted = re.sub(r" *#.*", "", SERVER.with_suffix(".in").read_text("utf-8")).split()
    return compile(wanted, "--generate-hashes", "--no-annotate")


def main() -> None:
    keep = "--keep" in sys.argv  # after a change of the requirements: the versions that are locked stay as they are
    every = parts()
    without = {part: lines for part, lines in every.items() if part != "prefect"}
    UNION.write_text(locked(without, UNION.read_text("utf-8") if keep else ""), "utf-8")
    runtime = {part: lines for part, lines in every.items() if not part.startswith("dev")}
    PREFECT.write_text(locked(runtime, UNION.read_text("utf-8")), "utf-8")
    if not keep:
        SERVER.write_text(server(), "utf-8")
        (ROOT / "requirements.lock").write_text(tools("dev"), "utf-8")
        (ROOT / "requirements-publish.lock").write_text(tools("publish"), "utf-8")
    print(f"{len(names(UNION.read_text('utf-8')))} packages locked for the chatbots of every combination")


if __name__ == "__main__":
    main()
