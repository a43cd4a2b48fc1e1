"""`kubectl certward dashboard` on the cluster, in a real browser: as an administrator, as users with fewer rights."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes import client
from playwright.sync_api import Browser

from cluster.errors import ClusterError
from cluster.handle import Cluster
from dashboard import browsing
from dashboard.browsing import Tab
from dashboard.plugin_page import Relay, dashboard
from integration import observer
from integration.plugin import Plugin, kubeconfig_of_viewer, until_may, write_kubeconfig

#: How many Domains the first page counts.
DOMAINS = "document.querySelector('.figure b').textContent"
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing.browser() as started:
        yield started


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    """With one App whose hostname is served."""
    name = cluster.namespace("page")
    cluster.backend(name, "shop")
    observer.apply(cluster, name, observer.app(), observer.domain("shop", name))
    observer.until_settled(cluster, name, ["shop"])
    return name


def app_of(cluster: Cluster, namespace: str) -> observer.Object:
    return client.CustomObjectsApi(cluster.api).get_namespaced_custom_object(
        "certward.dev", "v1alpha1", namespace, "apps", "shop"
    )


def is_automatic(cluster: Cluster, namespace: str) -> bool:
    return bool(app_of(cluster, namespace)["spec"]["certificates"]["automatic"])


def enter(tab: Tab, url: str) -> str:
    """Open the URL; where the pages are."""
    tab.page.goto(url)
    base = url.partition("enter?")[0]
    tab.page.wait_for_url(base)
    return base


def test_automatic_certificates_are_turned_off_and_on(cluster: Cluster, browser: Browser, namespace: str) -> None:
    with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
        base = enter(tab, url)
        tab.until_text("Served as declared")
        tab.until(f"{DOMAINS} === '1'")
        tab.page.goto(f"{base}apps/{namespace}/shop")
        tab.page.click("#do-automatic")
        asked = tab.dialog()
        assert "Turn off automatic certificates for shop?" in asked
        assert "until 20" in asked
        tab.page.keyboard.press("Escape")
        assert tab.page.evaluate("document.activeElement.id") == "do-automatic"
        assert is_automatic(cluster, namespace)

        tab.page.click("#do-automatic")
        tab.page.click("dialog button[type=submit]")
        tab.until_text("Automatic certificates are off.")
        tab.until("document.querySelector('.switch').textContent === 'Off'")
        assert not is_automatic(cluster, namespace)
        tab.page.click("#do-automatic")
        tab.page.click("dialog button[type=submit]")
        tab.until_text("Automatic certificates are on.")
        cluster.wait_for(lambda: is_automatic(cluster, namespace), 10, "it is on")
        assert tab.complaints == []


def test_what_was_changed_meanwhile_is_not_overruled(cluster: Cluster, browser: Browser, namespace: str) -> None:
    with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
        base = enter(tab, url)
        tab.page.goto(f"{base}apps/{namespace}/shop/automatic?to=off")
        cluster.kubectl(
            *("patch", "app", "shop", "-n", namespace, "--type=merge", "-p", '{"spec":{"httpsRedirect":false}}')
        )
        tab.page.click("button[type=submit]")
        assert "What you were asked about shop is no longer so" in tab.text
        assert "Nothing was done" in tab.text
        assert is_automatic(cluster, namespace)


def test_a_hostname_that_came_meanwhile_is_asked_about_first(
    cluster: Cluster, browser: Browser, namespace: str
) -> None:
    with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
        base = enter(tab, url)
        tab.page.goto(f"{base}apps/{namespace}/shop/automatic?to=off")
        observer.apply(cluster, namespace, observer.domain("meanwhile", namespace))
        tab.page.click("button[type=submit]")
        assert "What you were asked about shop is no longer so" in tab.text
        assert is_automatic(cluster, namespace)
        tab.page.goto(f"{base}apps/{namespace}/shop/automatic?to=on")
        assert "Automatic certificates are on for shop already." in tab.text
        assert tab.page.query_selector("button[type=submit]") is None
        cluster.kubectl("delete", "domain", "meanwhile", "-n", namespace)


def test_a_revision_that_the_policy_names_is_kept(cluster: Cluster, browser: Browser, namespace: str) -> None:
    spec = {"profile": "modern", "revision": "2018-06", "targetRefs": [{"kind": "App", "name": "shop"}]}
    body = {"apiVersion": observer.API_VERSION, "kind": "TLSPolicy", "metadata": {"name": "shop"}, "spec": spec}
    observer.apply(cluster, namespace, body)
    try:
        with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
            base = enter(tab, url)
            tab.page.goto(f"{base}apps/{namespace}/shop/profile")
            assert "TLSPolicy shop names revision 2018-06, which stays." in tab.text
            tab.page.check("#choice-default")
            tab.page.click("button[type=submit]")
            assert "goes on naming revision 2018-06" in tab.text
            tab.page.get_by_role("button", name="Change it").click()
            tab.until_text("The TLS policy is changed.")
            made = client.CustomObjectsApi(cluster.api).get_namespaced_custom_object(
                "certward.dev", "v1alpha1", namespace, "tlspolicies", "shop"
            )
            assert made["spec"] == {**spec, "profile": "default"}
    finally:
        cluster.kubectl("delete", "tlspolicy", "shop", "-n", namespace)


def test_a_profile_is_chosen_and_shown_by_handshakes(cluster: Cluster, browser: Browser, namespace: str) -> None:
    with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
        base = enter(tab, url)
        tab.page.goto(f"{base}apps/{namespace}/shop")
        tab.until_text("default 2026-11")
        tab.page.click("#do-profile")
        assert "is not in revision" in tab.page.inner_text("#about-strict") or "retired" in tab.page.inner_text(
            "dialog"
        )
        tab.page.check("#choice-modern")
        tab.page.click("dialog button[type=submit]")
        tab.page.get_by_text("would be locked out").first.wait_for()
        tab.page.get_by_role("button", name="Change it").click()
        tab.until_text("The TLS policy is changed.")
        tab.until_text("modern 2026-11, TLS 1.3")
        tab.until("[...document.querySelectorAll('td')].some(td => td.textContent.trim() === 'TLS 1.3')")
        tab.page.goto(f"{base}policies")
        tab.until_text("In force")

        tab.page.goto(f"{base}apps/{namespace}/shop/profile")
        tab.page.check("#choice-none")
        tab.page.click("button[type=submit]")
        tab.page.get_by_role("button", name="Take it away").click()
        tab.until_text("The TLS policy of this app alone is deleted.")
        tab.until_text("default 2026-11, TLS 1.2 to 1.3")


def test_who_may_look_sees_all_and_is_told_why_nothing_can_be_changed(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    viewer = Plugin(cluster, "", kubeconfig_of_viewer(cluster, tmp_path, namespace))
    until_may(cluster, viewer, ("domains", "-n", namespace))
    with dashboard(viewer) as url, browsing.tab(browser) as tab:
        base = enter(tab, url)
        tab.until(f"{DOMAINS} === '1'")
        assert f"namespace {namespace}" in tab.text
        assert "What the CAs' limits were used for cannot be shown" in tab.text
        tab.page.goto(f"{base}apps/{namespace}/shop")
        tab.page.click("#do-automatic")
        told = tab.dialog()
        assert f"no right to patch apps.certward.dev in namespace {namespace}. The role edit in that namespace" in told
        assert tab.page.query_selector("dialog button[type=submit]") is None
        tab.page.click("dialog [data-close]")
        tab.page.click("#do-profile")
        assert "The role admin in that namespace has it" in tab.page.inner_text("dialog [data-denied]")

        # Whoever sends the form all the same is stopped by the API server.
        page = tab.page
        page.goto(f"{base}apps/{namespace}/shop/automatic?to=off")
        with dashboard(Plugin(cluster, namespace)) as theirs, browsing.tab(browser) as other:
            enter(other, theirs)
            other.page.goto(f"{theirs.partition('enter?')[0]}apps/{namespace}/shop/automatic?to=off")
            seen = other.page.input_value("input[name=seen]")
        script = """([url, seen]) => fetch(url, {method: "POST",
            headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: "to=off&key=x&seen=" + seen})
            .then(answer => answer.status)"""
        assert page.evaluate(script, [f"{base}apps/{namespace}/shop/automatic", seen]) == 403
    assert is_automatic(cluster, namespace)


def user(cluster: Cluster, namespace: str, folder: Path, server: str = "") -> tuple[str, Path]:
    """A ServiceAccount without any right: its name, and a kubeconfig of it."""
    name = f"user-{uuid.uuid4().hex[:6]}"
    core = client.CoreV1Api(cluster.api)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
    file = write_kubeconfig(
        folder / f"{name}.kubeconfig",
        server=server or cluster.api.configuration.host,
        ca=Path(cluster.api.configuration.ssl_ca_cert).read_bytes(),
        bearer=core.create_namespaced_service_account_token(name, namespace, {"spec": {}}).status.token,
        namespace=namespace,
    )
    return name, file


def bind(cluster: Cluster, namespace: str, name: str, role: str, kind: str = "ClusterRole") -> None:
    """Give a ServiceAccount a role in its namespace."""
    client.RbacAuthorizationV1Api(cluster.api).create_namespaced_role_binding(
        namespace,
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )


def test_without_any_right_it_says_so(cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path) -> None:
    name, file = user(cluster, namespace, tmp_path)
    with dashboard(Plugin(cluster, "", file)) as url, browsing.tab(browser) as tab:
        enter(tab, url)
        tab.until_text("You may not see everything.")
        assert f"has no right to list domains.certward.dev in namespace {namespace}" in tab.text
        assert "The role view in that namespace has it" in tab.text

        # It is not to be started again when the right is given.
        bind(cluster, namespace, name, "view")
        tab.until("!document.querySelector('[data-trouble]')", timeout=40_000)
        tab.until(f"{DOMAINS} === '1'")


def test_who_may_list_and_not_watch_sees_changes_too(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    name, file = user(cluster, namespace, tmp_path)
    rule = {"apiGroups": ["certward.dev"], "resources": ["apps", "domains", "tlspolicies"], "verbs": ["list"]}
    client.RbacAuthorizationV1Api(cluster.api).create_namespaced_role(
        namespace, {"metadata": {"name": name}, "rules": [rule]}
    )
    bind(cluster, namespace, name, name, "Role")
    with dashboard(Plugin(cluster, "", file)) as url, browsing.tab(browser) as tab:
        enter(tab, url)
        tab.until(f"{DOMAINS} === '1'", timeout=40_000)
        observer.apply(cluster, namespace, observer.domain("other", namespace))
        tab.until(f"{DOMAINS} === '2'")
        assert tab.page.query_selector("[data-trouble]") is None
        cluster.kubectl("delete", "domain", "other", "-n", namespace)
        tab.until(f"{DOMAINS} === '1'")


def test_an_api_server_that_is_away_is_told_and_what_came_meanwhile_is_shown(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    server = urlsplit(cluster.api.configuration.host)
    relay = Relay((str(server.hostname), int(server.port or 443)))
    name, file = user(cluster, namespace, tmp_path, f"https://127.0.0.1:{relay.port}")
    bind(cluster, namespace, name, "edit")
    plugin = Plugin(cluster, namespace, file)
    until_may(cluster, plugin, ("domains",))
    try:
        with dashboard(plugin) as url, browsing.tab(browser) as tab:
            base = enter(tab, url)
            tab.until(f"{DOMAINS} === '1'")
            relay.cut()
            tab.until_text("The cluster does not answer.")
            assert "What is shown is as of" in tab.text
            assert tab.page.inner_text(".figure b") == "1"
            tab.page.goto(f"{base}apps/{namespace}/shop/automatic?to=off")
            assert "does not answer" in tab.text
            observer.apply(cluster, namespace, observer.domain("later", namespace))
            relay.mend()
            tab.page.goto(base)
            tab.until("!document.querySelector('[data-trouble]')", timeout=40_000)
            tab.until(f"{DOMAINS} === '2'")
            cluster.kubectl("delete", "domain", "later", "-n", namespace)
            tab.until(f"{DOMAINS} === '1'")
    finally:
        relay.close()


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Domain", {"hostname": f"{MARKUP}.example.com", "appRef": {"name": "shop"}}),
        ("TLSPolicy", {"profile": "modern", "selector": {"matchLabels": {"tier": MARKUP}}}),
        ("App", {"service": {"name": MARKUP, "port": 8080}}),
    ],
)
def test_the_cluster_itself_refuses_markup(cluster: Cluster, namespace: str, kind: str, spec: observer.Object) -> None:
    """A status could hold it; that it is then shown as it is, is tested without a cluster."""
    body = {"apiVersion": observer.API_VERSION, "kind": kind, "metadata": {"name": "marked"}, "spec": spec}
    with pytest.raises(ClusterError, match="Invalid value"):
        observer.apply(cluster, namespace, body)


def test_a_port_that_is_taken_and_a_cluster_that_is_none(cluster: Cluster, tmp_path: Path) -> None:
    plugin = Plugin(cluster, "default")
    port = str(urlsplit(cluster.api.configuration.host).port)
    assert f"Port {port} of 127.0.0.1 cannot be used" in plugin("dashboard", "--port", port, "--no-open", code=2).err
    nowhere = Plugin(cluster, "", tmp_path / "nothing")
    assert "There is no kubeconfig" in nowhere("dashboard", "--no-open", code=5).err
