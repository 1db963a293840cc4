"""Runs inside a generated project's environment: imports every module of the bot, and finds every lazy import's module.

Prints {"modules": how many were imported, "missing": [what a function would import and is not installed]}.
"""

import ast
import importlib
import importlib.util
import json
import pathlib
import pkgutil

import chatbot

modules = [m.name for m in pkgutil.walk_packages(chatbot.__path__, "chatbot.") if not m.name.endswith("__main__")]
for module in modules:
    importlib.import_module(module)


def wanted(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


files = pathlib.Path(chatbot.__path__[0]).rglob("*.py")
names = {name for file in files for name in wanted(ast.parse(file.read_text("utf-8")))}
own = {"services", "services.process"}  # in the checkout, for development
print(json.dumps({"modules": len(modules), "missing": sorted(name for name in names - own if not found(name))}))
