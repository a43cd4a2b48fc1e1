"""The pages of docs/ that are made from tables are as they would be made now."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_ingress_controllers_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("made", DOCS / "generate" / "ingress_controllers.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text() == made.page(), "run `make docs`"
