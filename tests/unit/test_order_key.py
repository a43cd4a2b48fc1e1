"""The key of an open order: made when it is needed, kept when it has to be waited for, the same one all along."""

import pytest
from cryptography import x509

from builders import domain
from certward.acme.order import Order
from certward.errors import Rejected, Transient
from certward.model import keys
from certward.render.manifests import next_key_secret
from certward.runtime.memory import Memory
from certward.runtime.order_key import OrderKey
from certward.runtime.secrets import Secrets
from secret_shelf import KEY, Shelf


class Refusing(Shelf):
    """Can be read, and takes nothing."""

    def apply(self, _manifest):
        raise Transient("APIServerUnavailable", "no answer")


@pytest.fixture
def shelf():
    return Shelf()


def memory_of(status="ready", *, is_kept: bool | None = False):
    """Of a Domain with an open order; is_kept as this process knows it, None after a restart."""
    order = Order("https://ca.example/order/1", status, ("www.example.com",))
    return Memory(order=order, order_issuer="main", has_next_key=is_kept)


def key_for(shelf, memory, key_type="ECDSA-P256"):
    return OrderKey(Secrets(shelf), domain(), memory, key_type)


def public_half(csr_der):
    return keys.spki(x509.load_der_x509_csr(csr_der).public_key())


def public_half_of(key_pem):
    return keys.spki(keys.load_private_key(key_pem).public_key())


def test_an_order_whose_certificate_comes_at_once_has_its_key_nowhere_but_in_the_frame(shelf):
    memory = memory_of()
    key = key_for(shelf, memory)
    key.see_that_it_fits()
    key.keep()
    csr = key.csr()
    assert public_half(csr) == public_half_of(key.pem())
    assert (shelf.there, shelf.looks) == ({}, 0)
    assert "PRIVATE" not in f"{key!r} {vars(key)['_memory']!r}"


def test_the_signing_request_is_for_the_hostname_and_of_the_type_that_is_wanted(shelf):
    key = key_for(shelf, memory_of(), "RSA-2048")
    csr = x509.load_der_x509_csr(key.csr())
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.example.com"]
    assert keys.key_type_of(key.pem()) == "RSA-2048"


def test_the_ca_is_told_of_one_key_only(shelf):
    key = key_for(shelf, memory_of())
    first = key.csr()
    key.keep()
    assert public_half(key.csr()) == public_half(first) == public_half_of(key.pem())


def test_a_key_that_is_kept_outlives_the_step_and_the_process(shelf):
    memory = memory_of()
    key = key_for(shelf, memory)
    csr = key.csr()
    key.keep()
    key.keep()
    assert memory.has_next_key
    assert shelf.version == 1, "written once"
    for later in (memory, memory_of("processing", is_kept=None)):
        again = key_for(shelf, later, "RSA-2048")
        again.see_that_it_fits()
        assert public_half_of(again.pem()) == public_half(csr), "its type is what the CA was told of"
        assert later.has_next_key
        again.keep()
    assert shelf.version == 1


def test_another_order_has_another_key(shelf):
    found = set()
    for _ in range(2):
        found.add(public_half(key_for(shelf, memory_of()).csr()))
    assert len(found) == 2


def test_a_restarted_process_looks_once_whether_there_is_one(shelf):
    memory = memory_of(is_kept=None)
    key_for(shelf, memory)
    assert (memory.has_next_key, shelf.looks) == (False, 1)
    key_for(shelf, memory)
    assert shelf.looks == 1


@pytest.mark.parametrize(
    ("status", "is_lost"), [("pending", False), ("ready", False), ("processing", True), ("valid", True)]
)
@pytest.mark.parametrize("is_kept", [None, False], ids=["after a restart", "in the same process"])
def test_an_order_that_was_finalized_with_a_key_that_is_gone_is_given_up(shelf, status, is_lost, is_kept):
    key = key_for(shelf, memory_of(status, is_kept=is_kept))
    if not is_lost:
        key.see_that_it_fits()
        return
    with pytest.raises(Transient) as raised:
        key.see_that_it_fits()
    assert raised.value.reason == "OrderInvalid"


def test_without_a_key_there_is_nothing_to_store(shelf):
    with pytest.raises(Transient) as raised:
        key_for(shelf, memory_of()).pem()
    assert raised.value.reason == "OrderInvalid"


def test_an_order_that_nobody_has_asked_a_certificate_of_keeps_nothing(shelf):
    key_for(shelf, memory_of("pending")).keep()
    assert shelf.there == {}


def test_where_it_cannot_be_kept_the_order_is_looked_at_anew():
    shelf = Refusing()
    memory = memory_of()
    key = key_for(shelf, memory)
    key.csr()
    with pytest.raises(Transient):
        key.keep()
    assert memory.order is None
    assert not memory.has_next_key


def test_a_secret_of_somebody_elses_in_its_place_is_left_alone(shelf):
    theirs = shelf.put({"metadata": {"name": "www-tls-next", "labels": {}}, "data": {"mine": "YQ=="}})
    memory = memory_of(is_kept=None)
    key = key_for(shelf, memory)
    assert memory.has_next_key is False
    key.csr()
    with pytest.raises(Rejected, match="Secret www-tls-next that is not Certward's is in the way"):
        key.keep()
    assert shelf.there == {"www-tls-next": theirs}


def test_a_kept_key_that_was_spoilt_counts_as_gone(shelf):
    shelf.put(next_key_secret(domain(), key_pem=b"rubbish"))
    key = key_for(shelf, memory_of(is_kept=None))
    key.see_that_it_fits()
    assert public_half(key.csr()) == public_half_of(key.pem())
    key.keep()
    assert public_half_of(Secrets(shelf).next_key(domain())) == public_half_of(key.pem())
    shelf.put(next_key_secret(domain(), key_pem=b"rubbish"))
    finalized = key_for(shelf, memory_of("valid", is_kept=None))
    with pytest.raises(Transient):
        finalized.see_that_it_fits()


def test_a_key_of_an_order_before_is_not_used_for_the_next_one(shelf):
    """One that could not be deleted: this process knows that none was kept for the order that it has placed."""
    shelf.put(next_key_secret(domain(), key_pem=KEY))
    key = key_for(shelf, memory_of(is_kept=False))
    assert public_half(key.csr()) != public_half_of(KEY)
