"""What the metrics are read from: an operator that works, with many Domains, without any of its threads."""

from types import SimpleNamespace

from prometheus_client import REGISTRY

from builders import NOW, domain, observed, proof, secret
from certward.acme.http01 import Answerer
from certward.config.models import Config
from certward.kube.cache import Cache
from certward.plan.domain import decide
from certward.runtime import metrics, scrape
from certward.runtime.holding import Holding
from certward.runtime.issuers import Issuers
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.queue import WorkQueue
from shelf import NAMESPACE, Shelf
from thumbprints import by_hostname


def register(domains: int) -> None:
    """Have the metrics tell of so many Domains."""
    config = Config.model_validate({"issuers": [{"name": "le", "directory": "https://ca.example/dir"}]})
    client, cache = Shelf(), Cache()
    client.requests = {("GET", "Secret", 200): 3}
    status = decide(observed(secret=secret(), proof=proof()), NOW).status
    for number in range(domains):
        cache.put(domain(f"www-{number}", hostname=f"www-{number}.example.com", status=status))
    holding = Holding(SimpleNamespace(holds=lambda _: True), 1)
    holding.begin(0)
    metrics.expect(["le"])
    sources = scrape.Sources(
        answerer=Answerer("127.0.0.1", 0, by_hostname({})),
        cache=cache,
        client=client,
        issuers=Issuers(config, client, namespace=NAMESPACE),
        lease=Leadership(client, namespace=NAMESPACE, replica="a", on_lost=lambda: None),
        ledger=Ledger(config, client, NAMESPACE),
        queue=WorkQueue(),
        synced_age=lambda: 1.0,
        unseen=lambda: 0,
        holding=holding,
    )
    REGISTRY.register(scrape.StateCollector(sources))
