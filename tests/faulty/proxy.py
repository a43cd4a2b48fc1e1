"""A reverse proxy between ACME clients and Pebble that does, now and then, what a CA on a bad day does."""

import asyncio
import json
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from faulty.answers import HTML, PASSED_WINDOW, Answer, refusal
from faulty.faults import ENDING, LOSING, Fault, Kind, Peace, Plan
from faulty.forgery import Forger
from faulty.journal import Journal, Order, Request
from faulty.pebble import key_of, kind_of, path_of, payload_of

#: Seconds in a Retry-After, unless `Proxy.retry_after` says otherwise.
RETRY_AFTER = 3
#: A slow answer comes in so many pieces, with so many seconds between them.
DRIPS, DRIP_PAUSE = 5, 0.3
#: Where redirects lead; nobody may go on from here with a signed request.
ELSEWHERE = "/elsewhere"

_NOT_FORWARDED = {"transfer-encoding", "content-length", "connection", "keep-alive", "date", "server"}
_NONCES = {Fault.SPOILT_NONCE: "bm9ib2R5LWhhcy1ldmVyLXNlZW4tdGhpcw", Fault.EMPTY_NONCE: ""}
#: To these Pebble itself answers first.
_AFTER = LOSING | ENDING | {Fault.DRIP, Fault.AT_ONCE, Fault.PASSED_WINDOW, *_NONCES}


class Proxy:
    """The proxy, in a thread of its own, on loopback; `plan`, `journal` and `retry_after` may be replaced at any time.

    Args:
        upstream: scheme, host and port of Pebble.
        ca: the file of roots for Pebble's listener.
        certificate: the file with certificate and key for this one.
        delay: seconds before each request is passed on, as a CA far away or under load takes them.
    """

    def __init__(self, upstream: str, *, ca: Path, certificate: Path, delay: float = 0.0) -> None:
        self._delay = delay
        self.plan: Plan = Peace()
        self.journal = Journal()
        self.retry_after = RETRY_AFTER
        self._upstream = upstream
        self._trust = ssl.create_default_context(cafile=str(ca))
        self._own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._own.load_cert_chain(certificate)
        self._forger = Forger()
        self._of: dict[str, Order] = {}
        self._postponed: dict[tuple[Kind, str], Fault] = {}
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stopping = asyncio.Event()
        self._port = 0
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="faulty CA")

    @property
    def directory(self) -> str:
        """The URL of the ACME directory, this way."""
        return f"https://127.0.0.1:{self._port}/dir"

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the proxy did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)
        self._loop.close()

    async def _serve(self) -> None:
        connector = TCPConnector(ssl=self._trust, limit=100)
        session = ClientSession(connector=connector, timeout=ClientTimeout(20), cookie_jar=DummyCookieJar())
        async with session as self._session:
            # What is faulty here is on purpose; what is not shows in the client.
            runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._own)
            await site.start()
            self._port = runner.addresses[0][1]
            self._started.set()
            await self._stopping.wait()
            await runner.cleanup()

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        at = time.time()
        body = await incoming.read()
        await asyncio.sleep(self._delay)
        kind = kind_of(incoming.path)
        payload = payload_of(body)
        order = self._of.get(incoming.path)
        hostname = payload["identifiers"][0]["value"] if kind is Kind.NEW_ORDER and payload else ""
        entry = Request(at, kind, incoming.method, incoming.path, order.hostname if order else hostname)
        entry.fault = self._postponed.pop((kind, entry.hostname), None) or self.plan.choose(kind, entry.hostname)
        self.journal.add(entry)
        answer = await self._answer(incoming, body, entry)
        if entry.fault is Fault.RESET_BEFORE or answer is None:
            return _reset(incoming)
        entry.answered, entry.status, entry.until = time.time(), answer.status, answer.until
        return await self._deliver(incoming, entry, answer)

    async def _answer(self, incoming: web.BaseRequest, body: bytes, entry: Request) -> Answer | None:
        """The answer, spoilt where the fault is in what it says; None without one."""
        if entry.fault is None or entry.fault in _AFTER:
            answer = await self._forwarded(incoming, body)
            if answer is None:
                return None
            if answer.document.get("type", "").endswith(":badNonce"):
                # Pebble does this by itself, now and then. It has not acted, so the fault waits for the next attempt.
                entry.has_bad_nonce = True
                if entry.fault:
                    self._postponed[entry.kind, entry.hostname] = entry.fault
                entry.fault = None
                return answer
            self._learn(entry, payload_of(body), answer)
            return self._spoilt(entry, answer)
        if entry.fault is Fault.RESET_BEFORE:
            return None
        host = incoming.headers["Host"]
        answer = refusal(
            entry.fault, retry_after=self.retry_after, elsewhere=f"https://{host}{ELSEWHERE}{incoming.path}"
        )
        if entry.kind is Kind.DIRECTORY and entry.fault is Fault.REDIRECT:
            answer.headers["Location"] = f"https://{host}/dir"
        elif entry.kind not in (Kind.DIRECTORY, Kind.NEW_NONCE):
            async with self._session.head(f"{self._upstream}/nonce-plz") as fresh:
                answer.headers["Replay-Nonce"] = fresh.headers["Replay-Nonce"]
        return answer

    async def _forwarded(self, incoming: web.BaseRequest, body: bytes) -> Answer | None:
        headers = {key: value for key, value in incoming.headers.items() if key.lower() not in _NOT_FORWARDED}
        url = f"{self._upstream}{incoming.raw_path if incoming.path[0] == '/' else ''}"
        try:
            async with self._session.request(
                incoming.method, url, headers=headers, data=body or None, allow_redirects=False
            ) as reply:
                kept = {key: value for key, value in reply.headers.items() if key.lower() not in _NOT_FORWARDED}
                links = reply.headers.getall("Link", [])
                if links:
                    kept["Link"] = ", ".join(links)
                wait = reply.headers.get("Retry-After", "")
                until = time.time() + int(wait) if wait.isdigit() else None
                return Answer(reply.status, kept, await reply.read(), until)
        except (ClientError, OSError, TimeoutError):
            return None  # Pebble is away, and so are we

    def _learn(self, entry: Request, payload: dict, answer: Answer) -> None:
        """Remember what belongs to which order."""
        document = answer.document
        if entry.kind is Kind.NEW_ORDER and answer.status == 201:
            is_lost = entry.fault in LOSING
            order = Order(path_of(answer.headers["Location"]), entry.hostname, is_lost=is_lost, at=entry.at)
            self.journal.add(order)
            self._of[order.path] = order
        else:
            order = self._of.get(entry.path)
        if order is None or answer.status >= 300:
            return
        urls = [document.get("finalize"), document.get("certificate"), *document.get("authorizations", ())]
        urls += [challenge["url"] for challenge in document.get("challenges", ())]
        self._of |= {path_of(url): order for url in urls if url}
        if entry.kind is Kind.FINALIZE:
            order.keys.append(key_of(payload))
        elif entry.kind is Kind.CERT:
            order.chain = answer.body

    def _spoilt(self, entry: Request, answer: Answer) -> Answer:
        fault, order = entry.fault, self._of.get(entry.path)
        if fault in ENDING and (order is None or answer.status >= 300):
            entry.fault = None  # there is no order to end
        elif order and fault in ENDING:
            order.is_ended = True
            if fault is not Fault.ORDER_INVALID:
                answer.body = self._wrong_chain(fault, order)
        elif fault is Fault.HTML:
            nonce = answer.headers.get("Replay-Nonce", "")
            return Answer(200, {"Content-Type": "text/html", "Replay-Nonce": nonce}, HTML)
        elif fault is Fault.PASSED_WINDOW:
            answer.body = PASSED_WINDOW
        elif fault is Fault.AT_ONCE:
            answer.headers["Retry-After"], answer.until = "0", None
        elif fault in _NONCES:
            answer.headers["Replay-Nonce"] = _NONCES[fault]
        if order and order.is_ended and entry.kind in (Kind.ORDER, Kind.FINALIZE) and answer.status < 300:
            # From now on whenever it is looked at, whatever Pebble thinks of it.
            trouble = {"type": "urn:ietf:params:acme:error:serverInternal", "detail": "Error finalizing order"}
            answer.body = json.dumps({**answer.document, "status": "invalid", "error": trouble}).encode()
        return answer

    def _wrong_chain(self, fault: Fault, order: Order) -> bytes:
        if fault is Fault.WRONG_KEY:
            return self._forger.chain(order.hostname)
        if fault is Fault.WRONG_NAME:
            key = serialization.load_der_public_key(order.keys[-1])
            assert isinstance(key, ec.EllipticCurvePublicKey)
            return self._forger.chain(f"not-{order.hostname}", key)
        others = [one.chain for one in self.journal.orders() if one.chain and one.hostname != order.hostname]
        return others[-1] if others else self._forger.chain(f"other.{order.hostname}")

    async def _deliver(self, incoming: web.BaseRequest, entry: Request, answer: Answer) -> web.StreamResponse:
        if entry.fault is Fault.RESET_AFTER:
            return _reset(incoming)
        if entry.fault not in (Fault.TRUNCATED, Fault.TRUNCATED_UNSEEN, Fault.DRIP) or incoming.method == "HEAD":
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        if entry.fault is Fault.TRUNCATED_UNSEEN:
            response.force_close()
            response.headers["Connection"] = "close"
            incoming._version = (1, 0)  # no chunks, so that the end of the connection is the end of the body
        else:
            response.content_length = len(answer.body)
        # The client may have had enough of it.
        with suppress(ConnectionError):
            await response.prepare(incoming)
            if entry.fault is Fault.DRIP:
                size = max(len(answer.body) // DRIPS, 1)
                for start in range(0, len(answer.body), size):
                    await response.write(answer.body[start : start + size])
                    await asyncio.sleep(DRIP_PAUSE)
                await response.write_eof()
                return response
            await response.write(answer.body[: len(answer.body) * 2 // 3])
            if entry.fault is Fault.TRUNCATED_UNSEEN:
                await response.write_eof()
                return response
        return _cut(incoming, response)


def _reset(incoming: web.BaseRequest) -> web.StreamResponse:
    """End the connection by a RST, with no answer."""
    transport = incoming.transport
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return _cut(incoming, web.Response())


def _cut(incoming: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    if incoming.transport is not None:
        incoming.transport.abort()
    return response
