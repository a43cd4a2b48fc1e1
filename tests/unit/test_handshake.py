"""Which name a probe asks for."""

import pytest

from certward.probe.handshake import probe_name


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("a.example", "a.example"), ("*.a.example", "certward-probe.a.example"), ("x.*.example", "x.*.example")],
)
def test_probe_name_replaces_a_leading_asterisk(hostname, name):
    assert probe_name(hostname) == name
