"""The programs of docs/generate as modules, so that tests can ask what they would write."""

import importlib.util
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[1] / "docs" / "generate"


def generator(name: str) -> ModuleType:
    """A program by its name, loaded and not run."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
