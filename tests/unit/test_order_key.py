"""The key of an open order: the same all along, also after a restart; written down only where it cannot be derived."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from builders import domain
from certward.acme.order import Order
from certward.errors import ChallengeFailed, Conflict, Transient
from certward.model import keys
from certward.model.resources import format_time
from certward.runtime.memory import Memory
from certward.runtime.order_key import OrderKey
from certward.runtime.order_seeds import SEED_NAME, OrderSeeds
from certward.runtime.secrets import Secrets
from secret_shelf import Shelf

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


class Storing(Shelf):
    """Refuses to make what is there already, and what was written since it was read, as the API server does."""

    def create(self, manifest):
        if manifest["metadata"]["name"] in self.there:
            raise Conflict("Conflict", "it is there already")
        return self.put(manifest)

    def apply(self, manifest, *, has_priority=True):
        version = manifest["metadata"].get("resourceVersion")
        there = self.there.get(manifest["metadata"]["name"])
        if version and there and there["metadata"]["resourceVersion"] != version:
            raise Conflict("Conflict", "somebody was faster")
        return super().apply(manifest, has_priority=has_priority)


@pytest.fixture
def shelf():
    return Storing()


def memory_of(url="https://ca.example/order/1", *, placed=NOW, is_kept: bool | None = False):
    """Of a Domain with an open order; is_kept as this process knows it, None after a restart."""
    order = Order(url, "ready", ("www.example.com",))
    return Memory(
        order=order,
        order_issuer="main",
        order_created_at=format_time(placed),
        has_next_key=is_kept,
        is_resumed=is_kept is None,
    )


def key_for(shelf, memory, key_type="ECDSA-P256"):
    """As a process has it that has just been started."""
    return OrderKey(Secrets(shelf), OrderSeeds(shelf, namespace="sys"), domain(), memory, key_type)


def self_signed(key_type):
    key = keys.load_private_key(keys.generate_key(key_type))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example.com")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), NOW, NOW + YEAR)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def public_half(csr_der):
    return keys.spki(x509.load_der_x509_csr(csr_der).public_key())


def public_half_of(key_pem):
    return keys.spki(keys.load_private_key(key_pem).public_key())


@pytest.mark.parametrize("key_type", ["ECDSA-P256", "ECDSA-P384"])
def test_a_restarted_operator_has_the_key_and_nothing_of_the_domain_was_written(shelf, key_type):
    csr = key_for(shelf, memory_of(), key_type).csr()
    pem = key_for(shelf, memory_of(is_kept=None), key_type).pem()
    assert keys.key_type_of(pem) == key_type
    assert public_half(csr) == public_half_of(pem)
    assert set(shelf.there) == {SEED_NAME}


def test_every_order_has_a_key_of_its_own(shelf):
    orders = [memory_of(f"https://ca.example/order/{number}") for number in range(20)]
    shown = {public_half(key_for(shelf, memory, kind).csr()) for memory in orders for kind in ("ECDSA-P256",) * 2}
    assert len(shown) == 20
    other_installation = key_for(Storing(), orders[0]).csr()
    assert public_half(other_installation) not in shown


def test_an_rsa_key_is_kept_before_it_is_used_and_taken_up_by_the_next_process(shelf):
    memory = memory_of()
    csr = key_for(shelf, memory, "RSA-2048").csr()
    assert memory.has_next_key
    assert public_half_of(key_for(shelf, memory_of(is_kept=None), "RSA-2048").pem()) == public_half(csr)
    assert set(shelf.there) == {"www-tls-next"}


def test_an_rsa_key_that_is_gone_is_said_so(shelf):
    key_for(shelf, memory_of(), "RSA-2048").csr()
    shelf.there.clear()
    with pytest.raises(Transient, match="The key of the open order is gone") as failure:
        key_for(shelf, memory_of(is_kept=None), "RSA-2048").pem()
    assert failure.value.reason == "OrderInvalid"


@pytest.mark.parametrize("key_type", ["ECDSA-P256", "RSA-2048"])
@pytest.mark.parametrize("others", ["ECDSA-P256", "ECDSA-P384", "RSA-2048"])
def test_a_certificate_for_another_key_is_the_cas_failure_and_no_lost_key(shelf, key_type, others):
    memory = memory_of()
    key = key_for(shelf, memory, key_type)
    key.csr()
    with pytest.raises(ChallengeFailed, match="for another key") as failure:
        key.pem(self_signed(others))
    assert failure.value.reason == "OrderInvalid"


def test_after_a_restart_it_is_taken_for_a_lost_key(shelf):
    with pytest.raises(Transient, match="The key of the open order is gone"):
        key_for(shelf, memory_of(is_kept=None)).pem(self_signed("ECDSA-P256"))


def test_the_signing_request_is_for_the_hostname_alone(shelf):
    csr = x509.load_der_x509_csr(key_for(shelf, memory_of()).csr())
    names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.example.com"]


def test_no_key_and_no_seed_is_in_a_repr(shelf):
    key = key_for(shelf, memory_of())
    key.csr()
    seeds = vars(key)["_seeds"]
    said = f"{key!r} {vars(key)['_memory']!r} {seeds!r} {vars(seeds)['_known']!r}"
    assert "PRIVATE" not in said
    assert "current" not in said


# The seed.


def test_the_seed_changes_once_a_day_and_open_orders_go_on(shelf):
    seeds = OrderSeeds(shelf, namespace="sys")
    today, tomorrow = (format_time(datetime.now(UTC) + later) for later in (timedelta(minutes=1), timedelta(hours=25)))
    first = seeds.of(today)
    shelf.there[SEED_NAME]["metadata"]["annotations"]["certward.dev/since"] = format_time(NOW - timedelta(days=2))
    other = OrderSeeds(shelf, namespace="sys")
    second = other.of(tomorrow)
    assert second != first
    assert other.of(format_time(datetime.now(UTC) - timedelta(minutes=5))) == first, "placed before the change"
    assert OrderSeeds(shelf, namespace="sys").of(tomorrow) == second
    assert seeds.of(tomorrow) == second, "and a replica that knew the old one"
    assert seeds.of(today) in (first, second)


def test_replicas_that_make_it_at_once_agree(shelf):
    there = dict(shelf.there)

    class Blind(Storing):
        def get(self, *_):
            self.get = shelf.get

        def create(self, manifest):
            return shelf.create(manifest)

    first = OrderSeeds(shelf, namespace="sys").of(format_time(NOW))
    assert there == {}
    assert OrderSeeds(Blind(), namespace="sys").of(format_time(NOW)) == first


@pytest.mark.parametrize("spoilt", [{}, {"current": "!!", "previous": "!!"}, {"current": "YQ==", "previous": "YQ=="}])
def test_a_spoilt_seed_is_made_anew(shelf, spoilt):
    OrderSeeds(shelf, namespace="sys").of(format_time(NOW))
    shelf.there[SEED_NAME]["data"] = spoilt
    made = OrderSeeds(shelf, namespace="sys").of(format_time(NOW))
    assert len(made) == 32
    assert OrderSeeds(shelf, namespace="sys").of(format_time(NOW)) == made


def test_a_derived_key_is_the_same_in_every_version():
    """Changing this loses the orders that are open during an upgrade."""
    pem = keys.derive_key(bytes(range(32)), "https://ca.example/order/1", "ECDSA-P256")
    number = keys.load_private_key(pem).private_numbers().private_value
    assert hex(number) == "0x74c68e4654d8a0e5497d634f2aabf16e1af27fb8c3831243d5a34fccbdb9c5c3"
