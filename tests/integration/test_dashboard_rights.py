"""The dashboard of users with fewer rights than all, and of one whose API server goes away, in a real browser."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes import client
from playwright.sync_api import Browser, Page

from cluster.handle import Cluster
from dashboard import browsing
from dashboard.plugin_page import Relay, dashboard, served_app
from integration import observer
from integration.plugin import Plugin, account, bind, kubeconfig_of_viewer, until_may


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    return served_app(cluster)


def test_who_may_look_sees_all_and_is_told_why_nothing_can_be_changed(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    viewer = Plugin(cluster, "", kubeconfig_of_viewer(cluster, tmp_path, namespace))
    until_may(cluster, viewer, ("domains", "-n", namespace))
    with dashboard(viewer) as url, browsing.tab(browser) as tab:
        base = tab.enter(url)
        tab.until(f"{browsing.DOMAINS} === '1'")
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


def test_a_right_that_is_taken_away_before_the_answer_is_refused_by_the_api_server(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    name, file = account(cluster, namespace, tmp_path)
    bind(cluster, namespace, name, "edit")
    bind(cluster, namespace, f"{name}-view", "view", of=name)
    plugin = Plugin(cluster, namespace, file)
    until_may(cluster, plugin, ("domains",))
    with dashboard(plugin) as url, browsing.tab(browser) as tab:
        base = tab.enter(url)
        question = f"{base}apps/{namespace}/shop/automatic?to=off"
        tab.page.goto(question)
        cluster.kubectl("delete", "rolebinding", name, "-n", namespace)
        other = tab.page.context.new_page()
        cluster.wait_for(lambda: "no right to patch" in _shown(other, question), 20, "the right is gone")
        tab.page.click("button[type=submit]")
        assert f"has no right to patch apps.certward.dev in namespace {namespace}" in tab.text
    assert observer.get(cluster, namespace, "shop", "apps")["spec"]["certificates"]["automatic"]


def _shown(page: Page, url: str) -> str:
    page.goto(url)
    return page.inner_text("main")


def test_without_any_right_it_says_so(cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path) -> None:
    name, file = account(cluster, namespace, tmp_path)
    with dashboard(Plugin(cluster, "", file)) as url, browsing.tab(browser) as tab:
        tab.enter(url)
        tab.until_text("You may not see everything.")
        assert f"has no right to list domains.certward.dev in namespace {namespace}" in tab.text
        assert "The role view in that namespace has it" in tab.text

        # It is not to be started again when the right is given.
        bind(cluster, namespace, name, "view")
        tab.until("!document.querySelector('[data-trouble]')", timeout=40_000)
        tab.until(f"{browsing.DOMAINS} === '1'")


def test_who_may_list_and_not_watch_sees_changes_too(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    name, file = account(cluster, namespace, tmp_path)
    rule = {"apiGroups": ["certward.dev"], "resources": ["apps", "domains", "tlspolicies"], "verbs": ["list"]}
    client.RbacAuthorizationV1Api(cluster.api).create_namespaced_role(
        namespace, {"metadata": {"name": name}, "rules": [rule]}
    )
    bind(cluster, namespace, name, name, "Role")
    with dashboard(Plugin(cluster, "", file)) as url, browsing.tab(browser) as tab:
        tab.enter(url)
        tab.until(f"{browsing.DOMAINS} === '1'", timeout=40_000)
        observer.apply(cluster, namespace, observer.domain("other", namespace))
        tab.until(f"{browsing.DOMAINS} === '2'")
        assert tab.page.query_selector("[data-trouble]") is None
        cluster.kubectl("delete", "domain", "other", "-n", namespace)
        tab.until(f"{browsing.DOMAINS} === '1'")


def test_an_api_server_that_is_away_is_told_and_what_came_meanwhile_is_shown(
    cluster: Cluster, browser: Browser, namespace: str, tmp_path: Path
) -> None:
    server = urlsplit(cluster.api.configuration.host)
    relay = Relay((str(server.hostname), int(server.port or 443)))
    name, file = account(cluster, namespace, tmp_path, f"https://127.0.0.1:{relay.port}")
    bind(cluster, namespace, name, "edit")
    plugin = Plugin(cluster, namespace, file)
    until_may(cluster, plugin, ("domains",))
    try:
        with dashboard(plugin) as url, browsing.tab(browser) as tab:
            base = tab.enter(url)
            tab.until(f"{browsing.DOMAINS} === '1'")
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
            tab.until(f"{browsing.DOMAINS} === '2'")
            cluster.kubectl("delete", "domain", "later", "-n", namespace)
            tab.until(f"{browsing.DOMAINS} === '1'")
    finally:
        relay.close()
