"""The engines that every test of the matrix runs on, by the names that its tables have for them."""

from collections.abc import Mapping

from engines import Start
from engines.haproxy import HAProxy
from engines.nginx import Nginx

#: An administrator's settings for revision 2026-11, on an OpenSSL without ML-KEM, and for those before it.
NGINX_FOR_2026 = {"ssl-ecdh-curve": "X25519:P-256:P-384", "hsts": "false"}
NGINX_FOR_2018 = {
    "ssl-protocols": "TLSv1 TLSv1.1 TLSv1.2",
    "ssl-ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
    "ssl-ecdh-curve": "X25519:P-256",
    "hsts": "false",
}
#: The groups that every revision has, because they are the same for all hosts.
HAPROXY_WITH_GROUPS = {"config-global": "ssl-default-bind-curves X25519:P-256", "ssl-redirect-code": "301"}

ENGINES: Mapping[str, Start] = {
    "nginx": Nginx,
    "nginx-for-2026": lambda folder: Nginx(folder, NGINX_FOR_2026, "nginx 1.31.3, ConfigMap for 2026-11"),
    "nginx-for-2018": lambda folder: Nginx(folder, NGINX_FOR_2018, "nginx 1.31.3, ConfigMap for 2018-06"),
    "haproxy": HAProxy,
    "haproxy-with-groups": lambda folder: HAProxy(folder, HAPROXY_WITH_GROUPS, "HAProxy 2.8.25, ConfigMap with groups"),
}
