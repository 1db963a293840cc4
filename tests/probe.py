"""Runs inside a generated project's environment: imports every module of the bot, and finds every lazy import's module.

Prints {"modules": how many were imported, "missing": [what a function would import and is not installed]}. With
`--import` what functions would import is imported too: that takes seconds for some SDKs.
"""

import ast
import importlib
import importlib.util
import json
import pathlib
import pkgutil
import sys

import chatbot

EXTRAS = ("httpx", "ir_measures", "obstore", "prefect", "scipy")
"""What only the pipelines use, and a project's own tests of them try: the small image's lock is without. httpx comes
with Prefect."""
ALONE = (".__main__", ".pipelines.flows")
"""Modules that run when they are imported, or are imported where Prefect is only."""

modules = [m.name for m in pkgutil.walk_packages(chatbot.__path__, "chatbot.") if not m.name.endswith(ALONE)]
for module in modules:
    importlib.import_module(module)


def wanted(tree):
    """The modules that a file imports, by a statement or by `import_module("…")`, also when that is handed on."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and "import_module" in map(last, [node.func, *node.args]):
            yield from (each.value for each in node.args if isinstance(each, ast.Constant))


def last(node):
    """The last name of a dotted one: `import_module` of `importlib.import_module`."""
    return getattr(node, "attr", getattr(node, "id", ""))


def found(name):
    """Whether it is installed: nothing is imported to see that, unless it is asked for."""
    if "--import" in sys.argv:
        return imported(name)
    top, *parts = name.split(".")
    spec = importlib.util.find_spec(top)
    places = [pathlib.Path(place) for place in (spec and spec.submodule_search_locations) or ()]
    if not parts or not places:
        return spec is not None
    inside = [place.joinpath(*parts) for place in places]
    return any(path.is_dir() or [*path.parent.glob(f"{path.name}.*")] for path in inside) or imported(name)


def imported(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True


files = pathlib.Path(chatbot.__path__[0]).rglob("*.py")
names = {name for file in files for name in wanted(ast.parse(file.read_text("utf-8")))}
own = {"services", "services.process"}  # in the checkout, for development
needed = {name for name in names - own if name.split(".")[0] not in EXTRAS}
print(json.dumps({"modules": len(modules), "missing": sorted(name for name in needed if not found(name))}))
