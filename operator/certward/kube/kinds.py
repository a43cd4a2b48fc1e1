"""Where the kinds that Certward touches live in the API."""

#: kind -> (prefix of the path, plural)
KINDS: dict[str, tuple[str, str]] = {
    "App": ("/apis/certward.dev/v1alpha1", "apps"),
    "Domain": ("/apis/certward.dev/v1alpha1", "domains"),
    "TLSPolicy": ("/apis/certward.dev/v1alpha1", "tlspolicies"),
    "HostnameRules": ("/apis/certward.dev/v1alpha1", "hostnamerules"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "EndpointSlice": ("/apis/discovery.k8s.io/v1", "endpointslices"),
    "Ingress": ("/apis/networking.k8s.io/v1", "ingresses"),
    "IngressClass": ("/apis/networking.k8s.io/v1", "ingressclasses"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "Event": ("/apis/events.k8s.io/v1", "events"),
    "IngressRoute": ("/apis/traefik.io/v1alpha1", "ingressroutes"),
    "Middleware": ("/apis/traefik.io/v1alpha1", "middlewares"),
    "TLSOption": ("/apis/traefik.io/v1alpha1", "tlsoptions"),
    "HTTPProxy": ("/apis/projectcontour.io/v1", "httpproxies"),
    "TLSCertificateDelegation": ("/apis/projectcontour.io/v1", "tlscertificatedelegations"),
    "GatewayClass": ("/apis/gateway.networking.k8s.io/v1", "gatewayclasses"),
    "Gateway": ("/apis/gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes"),
    "ListenerSet": ("/apis/gateway.networking.k8s.io/v1", "listenersets"),
    "ClientTrafficPolicy": ("/apis/gateway.envoyproxy.io/v1alpha1", "clienttrafficpolicies"),
    "SecurityPolicy": ("/apis/gateway.envoyproxy.io/v1alpha1", "securitypolicies"),
    "Certificate": ("/apis/cert-manager.io/v1", "certificates"),
    "Issuer": ("/apis/cert-manager.io/v1", "issuers"),
    "ClusterIssuer": ("/apis/cert-manager.io/v1", "clusterissuers"),
    "IngressRouteTCP": ("/apis/traefik.io/v1alpha1", "ingressroutetcps"),
}


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """The path of an object, or of a collection when no name is given.

    Args:
        kind: a key of KINDS.
        namespace: empty for all namespaces or for kinds without one.
        name: empty for the collection.
    """
    prefix, plural = KINDS[kind]
    path = f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"
    return f"{path}/{name}" if name else path
