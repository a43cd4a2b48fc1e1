"""The error tree. Every failure that a user may see carries a reason (CamelCase) and one sentence.

::

    OperatorError(reason, message)
    ├── InvalidSpec        the object cannot be acted on; no retry until its spec changes
    ├── Blocked            waits for another object (an App, a Service, an owner); looked at again when that one changes
    ├── Rejected           refused for good; no retry until the spec or the configuration changes
    │   └── IssuerUnusable     for all hostnames, until the administrator mends the issuer; open orders stay open
    ├── ChallengeFailed    the CA could not validate; tried again after 1, 10, 100 minutes, then daily
    └── Retryable
        ├── Transient      a network, API server or CA hiccup; 1 s x 2^n up to 5 minutes
        ├── Conflict       somebody else wrote the object first; read again and retry at once
        └── RateLimited    the CA said when to come back; nothing of that kind goes out before `until`

    ConfigError(path, message)   the configuration file is wrong; stops the start
    Bug is not a class: any other exception is one, and the reconciler logs it with its traceback.
"""

from datetime import datetime


class OperatorError(Exception):
    """A failure with a reason for machines and a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class InvalidSpec(OperatorError):
    """The object's spec cannot be acted on."""


class Blocked(OperatorError):
    """Another object has to come first."""


class Rejected(OperatorError):
    """Refused for good; only a changed spec or configuration can mend it."""


class IssuerUnusable(Rejected):
    """The CA or its account cannot be used for any hostname until the administrator mends it."""


class ChallengeFailed(OperatorError):
    """The CA tried and could not validate the hostname."""


class Retryable(OperatorError):
    """Trying again later is right."""


class Transient(Retryable):
    """A hiccup of the network, the API server or the CA."""


class Conflict(Retryable):
    """The object was written by somebody else since it was read."""


class RateLimited(Retryable):
    """The CA named the moment before which nothing of the kind may be sent.

    Attributes:
        until: aware UTC datetime.
    """

    def __init__(self, reason: str, message: str, *, until: datetime) -> None:
        super().__init__(reason, message)
        self.until = until


class ConfigError(Exception):
    """The configuration file is wrong; `path` is the dotted path of the field."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message
