"""`kubectl certward dashboard` on the cluster, in a real browser, as an administrator: what it changes."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from cluster.errors import ClusterError
from cluster.handle import Cluster
from dashboard import browsing
from dashboard.plugin_page import dashboard, served_app
from integration import observer
from integration.plugin import Plugin

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    return served_app(cluster)


def is_automatic(cluster: Cluster, namespace: str) -> bool:
    return bool(observer.get(cluster, namespace, "shop", "apps")["spec"]["certificates"]["automatic"])


def test_automatic_certificates_are_turned_off_and_on(cluster: Cluster, browser: Browser, namespace: str) -> None:
    with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
        base = tab.enter(url)
        tab.until_text("Served as declared")
        tab.until(f"{browsing.DOMAINS} === '1'")
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
        base = tab.enter(url)
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
        base = tab.enter(url)
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
            base = tab.enter(url)
            tab.page.goto(f"{base}apps/{namespace}/shop/profile")
            assert "TLSPolicy shop names revision 2018-06, which stays." in tab.text
            tab.page.check("#choice-default")
            tab.page.click("button[type=submit]")
            tab.until_text("goes on naming revision 2018-06")
            tab.page.get_by_role("button", name="Change it").click()
            tab.until_text("The TLS policy is changed.")
            assert observer.get(cluster, namespace, "shop", "tlspolicies")["spec"] == {**spec, "profile": "default"}
    finally:
        cluster.kubectl("delete", "tlspolicy", "shop", "-n", namespace)


def test_a_profile_is_chosen_and_shown_by_handshakes(cluster: Cluster, browser: Browser, namespace: str) -> None:
    with dashboard(Plugin(cluster, namespace)) as url, browsing.tab(browser) as tab:
        base = tab.enter(url)
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
