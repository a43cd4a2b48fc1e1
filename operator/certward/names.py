"""Names that the whole operator shares: the API group, labels, annotations, field manager."""

GROUP = "certward.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

#: The field manager of every server-side apply.
FIELD_MANAGER = "certward"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "certward"
LABEL_DOMAIN = f"{GROUP}/domain"
LABEL_APP = f"{GROUP}/app"

ANNOTATION_DEFAULT_REVISION = f"{GROUP}/tls-default-revision"
ANNOTATION_REFRESH = f"{GROUP}/refresh"
ANNOTATION_REVOKE = f"{GROUP}/revoke"
#: On the Secret of an issuer's account: asks for a new key.
ANNOTATION_ROLLOVER = f"{GROUP}/rollover"
#: On a Lease: which replica asks for it, and into how many shards its holder splits the work (0: it is only about to).
ANNOTATION_WANTED_BY = f"{GROUP}/wanted-by"
ANNOTATION_SHARDS = f"{GROUP}/shards"
#: On everything that Certward writes for a host: a digest of what was written.
ANNOTATION_RENDERED = f"{GROUP}/rendered"

#: The Domain of the platform's own names, and its App, in the operator's namespace.
PLATFORM = "certward-platform"

#: The path below which HTTP-01 is answered (RFC 8555, 8.3).
CHALLENGE_PATH = "/.well-known/acme-challenge/"
#: On every answer of the answerer: by it is seen that a host is led there, and not to an App.
ANSWERER_HEADER = "X-Certward-Answerer"
#: Asked for where it is only looked who answers; nothing is there.
PROBE_PATH = "/.well-known/certward-probe"
#: The Service in each namespace that leads to the operator's answerer.
CHALLENGE_SERVICE = "certward-challenge"
#: The Secret in the operator's namespace that holds the key of an ACME account, with the issuer's name behind it.
ACCOUNT_SECRET = "certward-account-"  # noqa: S105 - a name
#: The ConfigMap in the operator's namespace that records which revision was the default since when.
DEFAULTS_CONFIGMAP = "certward-defaults"
