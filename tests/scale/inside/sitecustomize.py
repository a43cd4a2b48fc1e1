"""Run by the operator's Python at its start where this folder is on PYTHONPATH, so that it can be looked into."""

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import looking_inside

looking_inside.install()

# One of somebody else's, behind this one on the path, is run as it would be without this one.
_FOLDER = str(Path(__file__).parent)
_other = PathFinder.find_spec("sitecustomize", [folder for folder in sys.path if folder != _FOLDER])
if _other is not None and _other.loader is not None:
    _other.loader.exec_module(importlib.util.module_from_spec(_other))
