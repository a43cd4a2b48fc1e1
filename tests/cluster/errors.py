"""What can go wrong with the local cluster; each message says what to do."""


class ClusterError(Exception):
    """The cluster cannot be brought into the state that was wished for."""


class BuildFailed(ClusterError):
    """A binary could not be built or fetched."""


class WishInvalid(ClusterError):
    """The wish (OPERATORS, INGRESS, the patch) cannot be understood or is not supported."""
