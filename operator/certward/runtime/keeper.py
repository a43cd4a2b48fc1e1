"""What is done by the clock: taking work up and letting it go, the full LIST, the line at the CAs, who is where."""

import logging
import threading
import time

from certward.errors import OperatorError
from certward.kube.cache import Cache
from certward.model.resources import Domain, Key, key_of
from certward.runtime import metrics
from certward.runtime.account_care import AccountCare
from certward.runtime.claim_rules import ClaimRules
from certward.runtime.dns01 import Dns01
from certward.runtime.drift import Drift
from certward.runtime.holding import Holding
from certward.runtime.intake import RESYNC_SECONDS, Intake
from certward.runtime.issuers import LOOK_SECONDS, Issuers
from certward.runtime.lease import Leadership
from certward.runtime.ledger import Ledger
from certward.runtime.memory import Memories
from certward.runtime.namespaces import Namespaces
from certward.runtime.platform import Platform
from certward.runtime.policies import Policies
from certward.runtime.queue import WorkQueue
from certward.runtime.reconciler import Reconciler

log = logging.getLogger(__name__)

_ADDRESS_SECONDS = 5.0
#: The full LIST of a process that has just been started need not be made again.
_JUST_SYNCED = 2.0
#: How soon the platform's own objects are written again that could not be, or were deleted by somebody.
_PLATFORM_RETRY_SECONDS = 30.0


class Keeper:
    """In a thread of its own, in every replica.

    Args:
        stop: set when the process is to end.
    """

    def __init__(
        self,
        stop: threading.Event,
        cache: Cache,
        queue: WorkQueue,
        *,
        lease: Leadership,
        holding: Holding,
        intake: Intake,
        reconciler: Reconciler,
        account_care: AccountCare,
        issuers: Issuers,
        policies: Policies,
        claim_rules: ClaimRules,
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
        self._holding = holding
        self._intake = intake
        self._reconciler = reconciler
        self._account_care = account_care
        self._issuers = issuers
        self._policies = policies
        self._claim_rules = claim_rules
        self._ledger = ledger
        self._platform = platform
        self._dns01 = dns01
        self._namespaces = namespaces
        self._memories = memories
        self._drift = drift
        self._drift_every = drift_every
        self._next_drift = 0.0
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
        for shard in self._lease.leaving():
            self._end(shard)
        if won := sorted(self._holding.to_begin()):
            self._catch_up()
        for shard in won:
            self._begin(shard)
        may_work = self._holding.may_work()
        if may_work:
            self._serve_the_line()
            self._dns01.sweep()
        if time.monotonic() >= self._next_list:
            self._intake.resync()
            self._look_at_namespaces()
            self._next_list = time.monotonic() + RESYNC_SECONDS
        if may_work and time.monotonic() >= self._next_drift:
            self._look_for_drift()
        if time.monotonic() >= self._next_accounts:
            self._follow_accounts()
            self._next_accounts = time.monotonic() + LOOK_SECONDS
        if may_work and time.monotonic() >= self._next_addresses:
            self._follow_addresses()
            self._next_addresses = time.monotonic() + _ADDRESS_SECONDS
        now = time.monotonic()
        if self._holding.leads() and (
            now >= self._next_platform or (now >= self._soonest_platform and self._platform.is_missing)
        ):
            self._keep_platform()

    def _begin(self, shard: int) -> None:
        """Take over what whoever worked on a shard before has left; then the workers begin.

        Whoever has shard 0 keeps what there is once in the cluster.
        """
        self._follow_accounts()
        self._policies.load(may_write=shard == 0)
        self._ledger.load(self._cache.all(Domain), shard)
        if shard == 0:
            self._claim_rules.publish()
            self._keep_platform()
        self._dns01.load(shard)
        self._holding.begin(shard)
        self._intake.enqueue_shard(shard)

    def _catch_up(self) -> None:
        """Know what whoever worked before has written last; what it has made is compared as it is listed now."""
        if time.monotonic() - self._intake.synced_at > _JUST_SYNCED:
            self._intake.resync()
        self._look_for_drift(is_new=True)

    def _look_for_drift(self, *, is_new: bool = False) -> None:
        self._next_drift = time.monotonic() + self._drift_every
        self._intake.enqueue(self._drift.look(is_new=is_new))

    def _end(self, shard: int) -> None:
        """Stop working on a shard and, once nothing of it is worked on any more, have its Lease given up."""
        self._holding.end(shard)
        is_idle = self._reconciler.leave_shard(shard)
        if not is_idle or self._dns01.is_busy(shard) or (shard == 0 and self._account_care.is_busy()):
            return
        self._ledger.leave(shard)
        self._dns01.leave(shard)
        self._memories.drop_all(self._holding.in_shard(shard))
        self._lease.let_go(shard)

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
        self._intake.enqueue({Key("Namespace", "", key.namespace) for key in self._cache.keys("Domain")})

    def _follow_accounts(self) -> None:
        """Have those tried anew that wait for an account to be mended."""
        if self._issuers.look_again(is_follower=not self._holding.has_first()):
            waiting = (d for d in self._cache.all(Domain) if d.status.get("reason") == "CARejected")
            self._intake.enqueue({key_of(domain) for domain in waiting})

    def _serve_the_line(self) -> None:
        """Have those worked on whose turn at a CA has come, and keep the ledger written."""
        for key in self._ledger.due():
            memory = self._memories.peek(key)
            if memory:
                memory.waiting = None
            self._queue.add(key)
        self._ledger.flush()
