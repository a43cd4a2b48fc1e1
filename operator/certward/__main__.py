"""`python -m certward --config FILE`: read the configuration, start everything, run until told to stop."""

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path

import kopf

from certward import __version__, logs
from certward.arenas import share_arenas
from certward.config import load
from certward.errors import ConfigError, OperatorError
from certward.handlers import lifecycle, watch
from certward.handlers.routes import RouteWatch
from certward.kube.client import Client, credentials_of, load_api_client
from certward.kube.streams import Streams
from certward.runtime.operator import Operator, Options

log = logging.getLogger("certward")

EXIT_CONFIG, EXIT_LOST, EXIT_FAILED = 2, 3, 1
_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="certward", description="The Certward operator.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the configuration file")
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="only check the configuration file; exit 0 or say what is wrong",
    )
    parser.add_argument(
        "--namespace",
        default=os.environ.get("POD_NAMESPACE") or _own_namespace(),
        help="the operator's own namespace (default: $POD_NAMESPACE, the pod's, or certward-system)",
    )
    parser.add_argument(
        "--replica",
        default=os.environ.get("POD_NAME") or socket.gethostname(),
        help="stable name of this replica (default: $POD_NAME or the host name)",
    )
    parser.add_argument(
        "--listen-health",
        default=":8080",
        metavar="[ADDRESS]:PORT",
        help="where /healthz, /readyz and /metrics are answered; without ADDRESS at all of them, of IPv6 and of IPv4 "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--answer-peers",
        default="",
        metavar="CIDR[,CIDR...]",
        help="take challenge requests from these networks only (default: from anywhere)",
    )
    parser.add_argument("--workers", type=int, default=16, help="objects worked on at a time (default: %(default)s)")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--log-format", default="text", choices=["text", "json"])
    parser.add_argument("--version", action="version", version=f"certward {__version__}")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the operator; returns the exit status."""
    arguments = parse_arguments(argv)
    share_arenas()
    logs.set_up(arguments.log_level, arguments.log_format)
    try:
        config = load(arguments.config)
        options = _options(arguments)
    except (ConfigError, ValueError) as error:
        sys.stderr.write(f"certward: {arguments.config}: {error}\n")
        return EXIT_CONFIG
    if arguments.check_config:
        for danger in config.warnings():
            sys.stdout.write(f"{arguments.config}: warning: {danger}\n")
        sys.stdout.write(f"{arguments.config}: ok\n")
        return 0
    for danger in config.warnings():
        log.warning("%s", danger)
    try:
        api = load_api_client(connections=options.workers + 8)
    except OperatorError as error:
        sys.stderr.write(f"certward: {error.message}\n")
        return EXIT_FAILED
    user_agent = f"certward/{__version__} ({options.replica})"
    client = Client(api, user_agent=user_agent)

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    ended = threading.Event()
    operator = Operator(config, client, options, on_lost=_end_at_once)
    threading.Thread(target=_start, args=(operator, ended), name="start", daemon=True).start()
    registry = kopf.OperatorRegistry()
    lifecycle.register(registry, lambda: credentials_of(api))
    watch.register(registry, operator.intake)
    # Not in the main thread, where kopf would take the signals for itself.
    watcher = threading.Thread(target=_watch, args=(registry, stopping, ended), name="watch", daemon=True)
    watcher.start()
    routes = RouteWatch(Streams(api, user_agent=user_agent), operator.intake)
    routes.start()
    while not stopping.wait(0.2) and not ended.is_set():
        pass
    is_told = stopping.is_set()
    stopping.set()
    routes.stop()
    watcher.join(timeout=5)
    operator.stop()
    return 0 if is_told else EXIT_FAILED


def _start(operator: Operator, ended: threading.Event) -> None:
    try:
        operator.start()
    except Exception:  # whatever it is: a replica that cannot start ends, so that it is seen and tried again
        log.exception("cannot start")
        ended.set()


def _watch(registry: kopf.OperatorRegistry, stopping: threading.Event, ended: threading.Event) -> None:
    """Run kopf until told to stop. Whatever else ends it ends the process, so that a fresh one lists anew."""

    async def run() -> None:
        stop_flag = asyncio.Event()
        loop = asyncio.get_running_loop()
        waiter = threading.Thread(
            target=lambda: (stopping.wait(), loop.call_soon_threadsafe(stop_flag.set)), name="stopper", daemon=True
        )
        waiter.start()
        await kopf.operator(
            registry=registry,
            settings=lifecycle.settings(),
            clusterwide=True,
            standalone=True,
            stop_flag=stop_flag,
        )

    try:
        asyncio.run(run())
    except Exception:
        log.exception("watching has ended")
    ended.set()


def _end_at_once() -> None:
    """Another replica holds the lease: nothing may be written any more, so nothing is cleared up either."""
    logging.shutdown()
    os._exit(EXIT_LOST)


def _options(arguments: argparse.Namespace) -> Options:
    host, colon, port = arguments.listen_health.rpartition(":")
    if not colon or host == "[]" or not port.isdigit():
        raise ValueError(f"--listen-health: '{arguments.listen_health}' is not ADDRESS:PORT or :PORT")
    return Options(
        namespace=arguments.namespace,
        replica=arguments.replica,
        health_host=host.strip("[]"),
        health_port=int(port),
        answer_peers=[ipaddress.ip_network(cidr) for cidr in arguments.answer_peers.split(",") if cidr],
        workers=arguments.workers,
    )


def _own_namespace() -> str:
    try:
        return _SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return "certward-system"


if __name__ == "__main__":
    sys.exit(main())
