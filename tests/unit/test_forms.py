"""What is not of the form that the definitions ask for is not rendered, should it have come past them."""

import pytest

from builders import app, domain, path_route
from certward.errors import Blocked
from certward.plan.observed import Routes
from certward.render.dialects import Host

RULE = "`) || Host(`victim.example.org"
NEWLINE = "203.0.113.0/24\nconfig-backend: |"


def host(*, served="www-tls", class_name="nginx", hostname="www.example.com", name="www", **changes) -> Host:
    routes = Routes(challenge=False, secret_name=served, redirect=False, profile=None)
    of = domain(name, hostname=hostname)
    return Host(domain=of, app=app(**changes), routes=routes, class_name=class_name, challenge_port=1)


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("The hostname", {"hostname": f"www.example.com{RULE}"}),
        ("The hostname", {"hostname": "www.example.com\n"}),
        ("The name", {"name": "w" * 64}),
        ("A path", {"paths": (path_route(f"/{RULE}", "api"),)}),
        ("A path", {"paths": (path_route("/api\n", "api"),)}),
        ("A path", {"paths": (path_route("/a b", "api"),)}),
        ("A path", {"paths": (path_route("/a%2", "api"),)}),
        ("A Service", {"paths": (path_route("/api", "api.other-team"),)}),
        ("A Service", {"paths": (path_route("/api", "api", "http }"),)}),
        ("A Service", {"paths": (path_route("/api", "api", 0),)}),
        ("A trusted range", {"trusted_ranges": ("198.51.100.0/24", NEWLINE)}),
        ("A trusted range", {"trusted_ranges": ("198.51.100.0",)}),
        ("A trusted range", {"trusted_ranges": ("198.51.100.0/255.255.255.0",)}),
        ("A trusted range", {"trusted_ranges": ("198.51.100.0/33",)}),
        ("The ingress class", {"class_name": "nginx;"}),
        ("The name of a Secret", {"served": "other-team/tls"}),
    ],
)
def test_what_could_mean_more_than_itself_is_refused(what, changes):
    with pytest.raises(Blocked) as refused:
        host(**changes)
    assert refused.value.reason == "InvalidSpec"
    assert refused.value.message.startswith(what)


def test_what_the_definitions_let_in_is_not_refused():
    paths = (path_route("/aZ09-._~!$&'()*+,;=:@%20/x", "api", "1-2-3a"), path_route("/a/", "api", 65535))
    ranges = ("198.51.100.0/24", "2001:DB8::/32", "0.0.0.0/0", "::/0")
    for hostname in ("*.example.com", f"{'a' * 63}.{'b' * 63}.example.com"):
        host(name="w" * 63, hostname=hostname, paths=paths, trusted_ranges=ranges, class_name="a.b", served="a.b-c")
    host(served="")
