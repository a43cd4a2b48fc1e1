"""What is done by the clock: beginning to work, the full LIST, the line at the CAs, who and where everybody is."""

import logging
import threading
import time

from certward.errors import OperatorError
from certward.kube.cache import Cache
from certward.model.resources import Domain, Key, key_of
from certward.runtime import metrics
from certward.runtime.account_care import LOOK_SECONDS
from certward.runtime.dns01 import Dns01
from certward.runtime.drift import Drift
from certward.runtime.issuers import Issuers
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Memories
from certward.runtime.namespaces import Namespaces
from certward.runtime.platform import Platform
from certward.runtime.policies import Policies
from certward.runtime.queue import WorkQueue
from certward.runtime.reconciler import RESYNC_SECONDS, Reconciler

log = logging.getLogger(__name__)

_ADDRESS_SECONDS = 5.0
#: How soon the platform's own objects are written again that could not be, or were deleted by somebody.
_PLATFORM_RETRY_SECONDS = 30.0


class Keeper:
    """In a thread of its own, in every replica.

    Args:
        stop: set when the process is to end.

    Attributes:
        has_begun: this replica has become the one that works; one that another one takes over from ends.
    """

    def __init__(
        self,
        stop: threading.Event,
        cache: Cache,
        queue: WorkQueue,
        *,
        lease: Leadership,
        reconciler: Reconciler,
        issuers: Issuers,
        policies: Policies,
        ledger: Ledger,
        platform: Platform,
        dns01: Dns01,
        namespaces: Namespaces,
        memories: Memories,
        drift: Drift,
        drift_every: float,
    ) -> None:
        self._stop = stop
        self._cache = cache
        self._queue = queue
        self._lease = lease
        self._reconciler = reconciler
        self._issuers = issuers
        self._policies = policies
        self._ledger = ledger
        self._platform = platform
        self._dns01 = dns01
        self._namespaces = namespaces
        self._memories = memories
        self._drift = drift
        self._drift_every = drift_every
        self._next_drift = 0.0
        self.has_begun = False
        self._next_list = time.monotonic() + RESYNC_SECONDS
        self._next_addresses = self._next_accounts = 0.0
        self._next_platform = self._soonest_platform = 0.0
        self._known_addresses: tuple[str, ...] | None = None
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin; the next full LIST is due in a while, since one has just been made."""
        self._next_list = time.monotonic() + RESYNC_SECONDS
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether the thread goes on."""
        return self._thread.is_alive()

    def may_work(self) -> bool:
        """Whether this replica works now."""
        return self.has_begun and self._lease.is_leader()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self.look()
            except OperatorError as error:
                log.warning("%s", error.message)
                self._stop.wait(2.0)
            except Exception:  # the keeper has to outlive a mistake, or nothing is ever listed again
                metrics.BUGS.inc()
                log.exception("this is a mistake in Certward, please report it")
                self._stop.wait(5.0)

    def look(self) -> None:
        """Do what is due now.

        Raises:
            OperatorError: the API server could not or would not.
        """
        if self._lease.is_leader() and not self.has_begun:
            self._begin()
        if self.may_work():
            self._serve_the_line()
            self._dns01.sweep()
        if time.monotonic() >= self._next_list:
            self._reconciler.resync()
            self._look_at_namespaces()
            self._next_list = time.monotonic() + RESYNC_SECONDS
        if self.may_work() and time.monotonic() >= self._next_drift:
            self._reconciler.enqueue(self._drift.look())
            self._next_drift = time.monotonic() + self._drift_every
        if time.monotonic() >= self._next_accounts:
            self._follow_accounts()
            self._next_accounts = time.monotonic() + LOOK_SECONDS
        if self.may_work() and time.monotonic() >= self._next_addresses:
            self._follow_addresses()
            self._next_addresses = time.monotonic() + _ADDRESS_SECONDS
        now = time.monotonic()
        if self.may_work() and (
            now >= self._next_platform or (now >= self._soonest_platform and self._platform.is_missing)
        ):
            self._keep_platform()

    def _begin(self) -> None:
        """Take over what an earlier leader has left; then the workers begin."""
        self._issuers.look_again()
        self._policies.load()
        self._ledger.load(self._cache.all(Domain))
        self._keep_platform()
        self._dns01.load()
        self._drift.look()
        self._next_drift = time.monotonic() + self._drift_every
        self._reconciler.enqueue_all()
        self.has_begun = True

    def _keep_platform(self) -> None:
        """Have the platform's own objects there. That they cannot be written holds up nobody else's certificate."""
        self._next_platform = time.monotonic() + RESYNC_SECONDS
        self._soonest_platform = time.monotonic() + _PLATFORM_RETRY_SECONDS
        try:
            self._platform.ensure()
        except OperatorError as error:
            self._next_platform = self._soonest_platform
            log.warning("the platform's own names: %s", error.message)

    def _follow_addresses(self) -> None:
        """Have the challenge paths lead to where the replicas are now."""
        addresses = self._namespaces.addresses()
        if self._known_addresses is not None and addresses != self._known_addresses:
            self._look_at_namespaces()
        self._known_addresses = addresses

    def _look_at_namespaces(self) -> None:
        self._reconciler.enqueue({Key("Namespace", "", key.namespace) for key in self._cache.keys("Domain")})

    def _follow_accounts(self) -> None:
        """Have those tried anew that wait for an account to be mended."""
        if self._issuers.look_again():
            waiting = (d for d in self._cache.all(Domain) if d.status.get("reason") == "CARejected")
            self._reconciler.enqueue({key_of(domain) for domain in waiting})

    def _serve_the_line(self) -> None:
        """Have those worked on whose turn at a CA has come, and keep the ledger written."""
        for key in self._ledger.due():
            memory = self._memories.peek(key)
            if memory:
                memory.waiting = None
            self._queue.add(key)
        self._ledger.flush()
