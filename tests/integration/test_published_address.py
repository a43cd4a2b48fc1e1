"""Where the ingress is, when only its controller's word in the status of an Ingress tells it."""

from pathlib import Path

from certward.config import parse
from certward.kube.client import Client
from certward.model.resources import App
from certward.names import LABEL_MANAGED_BY, MANAGED_BY
from certward.runtime.addresses import Addresses
from certward.runtime.classes import Classes
from cluster.handle import Cluster
from integration import observer
from integration.own_traefik import OwnTraefik

CLASS, PUBLISHED = "published", "198.51.100.7"


def test_an_address_that_the_controller_publishes_is_used(cluster: Cluster, tmp_path: Path) -> None:
    namespace = observer.new_shop(cluster, "published")
    class_ = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": CLASS},
        "spec": {"controller": "traefik.io/ingress-controller"},
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "of-ours", "labels": {LABEL_MANAGED_BY: MANAGED_BY}},
        "spec": {"ingressClassName": CLASS, "defaultBackend": {"service": {"name": "shop", "port": {"number": 8080}}}},
    }
    observer.apply(cluster, namespace, class_, ingress)
    app = App.from_body(observer.get(cluster, namespace, "shop", "apps"))
    config = parse(f"ingress: {{defaultClass: {CLASS}, classes: {{{CLASS}: {{dialect: traefik}}}}}}", tmp_path)
    client = Client(cluster.operator_api)  # with the rights of the operator

    def told() -> tuple[object, object]:
        addresses = Addresses(Classes(config, client), client)
        return addresses.http(app), addresses.https(app)

    assert told() == (None, None)
    flags = (
        f"--providers.kubernetesingress.ingressclass={CLASS}",
        f"--providers.kubernetesingress.ingressendpoint.ip={PUBLISHED}",
    )
    try:
        with OwnTraefik(cluster, tmp_path / "traefik.log", *flags):
            cluster.wait_for(lambda: told() == ((PUBLISHED, 80), (PUBLISHED, 443)), 30, "the published address")
    finally:
        cluster.kubectl("delete", "ingressclass", CLASS)
