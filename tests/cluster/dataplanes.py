"""The ingress data planes that INGRESS can name. A new one is one entry in the table here."""

from cluster import contour, envoy_gateway, traefik
from cluster.dataplane import DataPlane
from cluster.errors import WishInvalid

#: What INGRESS says for a cluster without any.
NONE = "none"
_TABLE = {plane.name: plane for plane in (traefik.DATA_PLANE, contour.DATA_PLANE, envoy_gateway.DATA_PLANE)}


def chosen(ingress: str) -> tuple[DataPlane, ...]:
    """Return the data planes of a list separated by commas, in its order; none for `none`.

    Raises:
        WishInvalid: with the list of those that there are.
    """
    names = [name.strip() for name in ingress.split(",")]
    if names == [NONE]:
        return ()
    supported = ", ".join(sorted((*_TABLE, NONE)))
    if unknown := [name for name in names if name not in _TABLE]:
        raise WishInvalid(f"INGRESS={ingress}: {unknown[0] or '(empty)'} is not supported; supported: {supported}")
    if len(set(names)) < len(names):
        raise WishInvalid(f"INGRESS={ingress}: each data plane runs once")
    return tuple(_TABLE[name] for name in names)
