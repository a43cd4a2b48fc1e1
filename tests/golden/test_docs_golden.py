"""What is made from tables and other files, in docs/ and manifests/, is as it would be made now."""

from generators import generator


def test_the_page_of_ingress_controllers_is_up_to_date() -> None:
    made = generator("ingress_controllers")
    assert made.PAGE.read_text() == made.page(), "run `make docs`"


def test_the_page_of_fields_is_up_to_date() -> None:
    made = generator("fields")
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run `make docs`"


def test_the_rules_for_the_prometheus_operator_are_up_to_date() -> None:
    made = generator("monitoring")
    assert made.PROMETHEUS_RULE.read_text() == made.prometheus_rule(), "run `make docs`"


def test_the_dashboard_is_up_to_date() -> None:
    made = generator("monitoring")
    assert made.DASHBOARD.read_text() == made.dashboard(), "run `make docs`"


def test_the_chart_holds_what_the_base_and_the_definitions_hold() -> None:
    for path, text in generator("chart").files().items():
        assert path.read_text() == text, f"{path.name}: run `make docs`"
