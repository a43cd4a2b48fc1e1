"""A real Prometheus that scrapes the operator and evaluates the alert rules, each second."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from cluster import binaries, web
from cluster.waiting import wait_for

RULES = Path(__file__).parents[2] / "manifests" / "monitoring" / "rules.yaml"


class Prometheus:
    """What a running one answers."""

    def __init__(self, url: str) -> None:
        self._url = url

    def api(self, path: str, **query: str) -> Any:
        """The `data` of an answer of the HTTP API; fails with what it says where it says an error."""
        status, body = web.get(f"{self._url}/api/v1/{path}?{urlencode(query)}")
        answer = json.loads(body)
        assert status == 200, (path, query, answer)
        return answer["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series that an expression gives now, by their labels."""
        found = self.api("query", query=expression)
        if found["resultType"] == "scalar":
            return [({}, float(found["result"][1]))]
        return [(series["metric"], float(series["value"][1])) for series in found["result"]]

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return web.get(f"{self._url}/-/ready")[0] == 200
        except OSError:
            return False


@contextmanager
def running(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    """Run one that scrapes these, each as host:port, with its data in this folder."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "certward", "honor_labels": True, "static_configs": [{"targets": targets}]},
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(binaries.binary("prometheus")),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            server = Prometheus(f"http://{address}")
            wait_for(server.is_ready, 60, f"Prometheus is ready; {folder / 'prometheus.log'} says why it is not")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=20)
