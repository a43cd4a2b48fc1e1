"""The objects that are the same whatever ingress there is."""

import base64

import pytest

from builders import app, domain
from certward.render.manifests import (
    ANNOTATION_ISSUER,
    certificate_secret,
    challenge_objects,
    domain_meta,
    next_key_secret,
    owner,
)


def decoded(manifest, name):
    return base64.b64decode(manifest["data"][name])


def test_certificate_and_key_are_in_one_secret_that_belongs_to_the_domain():
    secret = certificate_secret(domain(), chain_pem=b"chain", key_pem=b"key", issuer="main")
    assert (secret["kind"], secret["type"]) == ("Secret", "kubernetes.io/tls")
    assert (secret["metadata"]["namespace"], secret["metadata"]["name"]) == ("team-a", "www-tls")
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "certward",
        "certward.dev/domain": "www",
        "certward.dev/app": "shop",
    }
    assert secret["metadata"]["annotations"] == {ANNOTATION_ISSUER: "main", "certward.dev/hostname": "www.example.com"}
    assert (decoded(secret, "tls.crt"), decoded(secret, "tls.key")) == (b"chain", b"key")


def test_the_key_of_an_order_has_a_secret_of_its_own():
    secret = next_key_secret(domain(), key_pem=b"key")
    assert (secret["metadata"]["name"], secret["type"]) == ("www-tls-next", "Opaque")
    assert decoded(secret, "tls.key") == b"key"


def test_what_is_made_for_an_object_goes_with_it():
    (reference,) = domain_meta(domain(), "x")["ownerReferences"]
    assert reference == owner(domain())
    assert (reference["kind"], reference["name"], reference["uid"]) == ("Domain", "www", "uid-team-a-www")
    assert (owner(app())["kind"], owner(app())["name"]) == ("App", "shop")
    assert "annotations" not in domain_meta(domain(), "x")


@pytest.mark.parametrize(
    ("addresses", "slices"),
    [
        ([], {}),
        (["10.0.0.2", "10.0.0.1"], {"IPv4": ["10.0.0.1", "10.0.0.2"]}),
        (["fd00::1"], {"IPv6": ["fd00::1"]}),
        (["fd00::1", "10.0.0.1"], {"IPv4": ["10.0.0.1"], "IPv6": ["fd00::1"]}),
    ],
    ids=["none", "IPv4", "IPv6", "both"],
)
def test_the_way_to_the_answerer_has_a_slice_for_each_address_family(addresses, slices):
    service, *found = challenge_objects("team-a", port=8089, addresses=addresses)
    assert "selector" not in service["spec"]
    assert {s["addressType"]: [a for e in s["endpoints"] for a in e["addresses"]] for s in found} == slices
    for one in found:
        assert one["metadata"]["labels"]["kubernetes.io/service-name"] == service["metadata"]["name"]
        assert one["ports"][0]["name"] == service["spec"]["ports"][0]["name"], "matched by name, not by number"
        assert one["ports"][0]["port"] == 8089


def test_the_order_of_addresses_does_not_matter():
    one = challenge_objects("team-a", port=8089, addresses=["10.0.0.2", "fd00::1", "10.0.0.1"])
    assert one == challenge_objects("team-a", port=8089, addresses=["10.0.0.1", "10.0.0.2", "fd00::1"])
