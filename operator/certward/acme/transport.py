"""One thread's way to a CA: HTTPS, signatures and nonces.

`acme.client.ClientNetwork` is not used because it drops Retry-After and the nonces of error replies, retries
a rejected nonce only once, and reads bodies of any length.
"""

import io
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from certward.acme.account import AccountKey
from certward.acme.holds import Holds
from certward.acme.problems import ProblemReply, parse_problem
from certward.acme.tally import NO_ANSWER, Tally
from certward.acme.tls import mount
from certward.errors import Transient
from certward.stages import stage

JSON = "application/json"
PEM_CHAIN = "application/pem-certificate-chain"

#: No object of ACME comes near this; more is not read.
MAXIMUM_BODY = 1024 * 1024
#: How often a request is sent when its nonce is rejected (RFC 8555, 6.5: retry with the nonce of the error).
NONCE_ATTEMPTS = 6
#: A longer Retry-After is taken for a mistake, in seconds.
MAXIMUM_RETRY_AFTER = 7 * 86400.0

_CHUNK = 64 * 1024
_MAXIMUM_REDIRECTS = 5
_NO_PROXY = {"http": "", "https": "", "all": ""}


@dataclass(frozen=True)
class Reply:
    """A successful answer of the CA; `retry_after` in seconds, None where it named none."""

    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            ValueError: it is none.
        """
        document = _parsed(self.body)
        if not isinstance(document, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - as for what is no JSON
        return document


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Seconds from `now` by a Retry-After header (RFC 9110, 10.2.3: number or date); None if unreadable."""
    if value is None:
        return None
    try:
        # Cut at both ends before it is a float, which cannot hold as much as an int.
        seconds = float(min(max(int(value), 0), int(MAXIMUM_RETRY_AFTER)))
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # the latter for a year, or a zone, that no date can have
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), MAXIMUM_RETRY_AFTER)


def _sent_at(date: str | None) -> datetime:
    """When a reply was sent by the clock of its sender, which its Retry-After goes by; else by our own."""
    try:
        moment = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return datetime.now(UTC)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


class Transport:
    """A connection to one CA for one thread, with the nonce that its last reply brought.

    Args:
        issuer_name: for the sentences of errors.
        key: the account key.
        context: from `tls_context`, shared by all threads.
        holds: what the CA has asked to leave alone for now, shared by all threads.
        tally: where the answers are counted, shared by all threads.
        timeout: seconds to connect, and seconds for a whole reply.
        user_agent: RFC 8555, 6.1 wants one.
    """

    def __init__(
        self,
        issuer_name: str,
        key: AccountKey,
        context: ssl.SSLContext,
        *,
        holds: Holds,
        tally: Tally,
        timeout: float,
        user_agent: str,
    ) -> None:
        self._holds = holds
        self._tally = tally
        self._issuer_name = issuer_name
        self._key = key
        self._timeout = timeout
        self._nonce = ""
        self._session = requests.Session()
        self._session.max_redirects = _MAXIMUM_REDIRECTS
        self._session.auth = _no_credentials
        self._session.headers.update({"User-Agent": user_agent, "Accept-Language": "en", "Accept-Encoding": "identity"})
        mount(self._session, context)

    def close(self) -> None:
        """Close the connections; the object can be used again."""
        self._session.close()

    def get(self, url: str) -> Reply:
        """An unsigned GET (the directory, renewal information).

        Raises:
            ProblemReply: the CA answered with an error.
            Transient: it did not answer.
        """
        return self._checked(self._send("GET", url, {"Accept": JSON}), url)

    def post(self, url: str, payload: bytes, *, new_nonce_url: str, account_url: str = "", accept: str = JSON) -> Reply:
        """A signed request (RFC 8555, 6.2); an empty payload is a POST-as-GET.

        Args:
            url: where to.
            payload: JSON text, or nothing.
            new_nonce_url: from the directory.
            account_url: the `kid`; without it the public key itself is sent, as newAccount wants.
            accept: the media type asked for.

        Raises:
            ProblemReply: the CA answered with an error.
            Transient: it did not answer.
        """
        headers = {"Content-Type": "application/jose+json", "Accept": accept}
        self._holds.check(url)
        for attempt in range(1, NONCE_ATTEMPTS + 1):
            try:
                body = self._key.sign(payload, nonce=self._take_nonce(new_nonce_url), url=url, account_url=account_url)
            except ValueError as error:
                raise self._trouble("gave a nonce that cannot be read") from error
            response = self._send("POST", url, headers, body)
            try:
                return self._checked(response, url)
            except ProblemReply as reply:
                if reply.problem.code != "badNonce" or attempt == NONCE_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _take_nonce(self, new_nonce_url: str) -> str:
        if not self._nonce:
            with stage("ca nonce"):
                response = self._send("HEAD", new_nonce_url, {})
            if not self._nonce:
                try:
                    self._checked(response, new_nonce_url)
                except ProblemReply as reply:
                    # What the CA says of newNonce must not be taken for an answer about the order.
                    if reply.problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.retry_after is not None:
                        raise
                raise self._trouble("gave no nonce")
        nonce, self._nonce = self._nonce, ""
        return nonce

    def _send(self, method: str, url: str, headers: Mapping[str, str], data: bytes | None = None) -> requests.Response:
        """The response with its body read; every nonce is kept, whatever the response says."""
        self._holds.check(url)
        try:
            response = self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=self._timeout,
                # A signature is good for one URL only, so a redirected POST could not succeed.
                allow_redirects=method != "POST",
                proxies=_NO_PROXY if _is_loopback(url) else None,
                stream=True,
                hooks={"response": self._read},
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:  # a URL that is none, among others
            self._tally.count(NO_ANSWER)
            raise self._unreachable(error) from error
        self._tally.count(response.status_code)
        self._nonce = response.headers.get("Replay-Nonce", "") or self._nonce
        return response

    def _read(self, response: requests.Response, **_: object) -> None:
        """The body of each answer, also of one that leads elsewhere, which requests would read whole."""
        body = b""
        with response:
            for chunk in response.raw.stream(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > MAXIMUM_BODY:
                    self._tally.count(NO_ANSWER)
                    raise self._trouble("sent more than an answer of ACME can hold")
        response.raw = io.BytesIO(body)

    def _checked(self, response: requests.Response, url: str) -> Reply:
        retry_after = retry_after_seconds(response.headers.get("Retry-After"), _sent_at(response.headers.get("Date")))
        if HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return Reply(response.headers, response.content, retry_after)
        try:
            document = _parsed(response.content)
        except ValueError:
            document = None
        problem = parse_problem(document, response.status_code)
        self._holds.note(url, problem, retry_after)
        raise ProblemReply(problem, retry_after)

    def _trouble(self, what: str) -> Transient:
        return Transient("CAUnavailable", f"The CA {self._issuer_name} {what}; it is tried again.")

    def _unreachable(self, error: Exception) -> Transient:
        """The kind of trouble only: the error's own text holds addresses and object ids that change."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return Transient(
                "CAUnavailable",
                f"The CA's own certificate could not be verified with the system's roots and the caBundle of"
                f" issuer {self._issuer_name}: check caBundle and directory in the operator's configuration.",
            )
        if isinstance(error, requests.TooManyRedirects):
            return self._trouble("redirects in circles")
        if isinstance(error, requests.Timeout | ReadTimeoutError):
            return self._trouble("does not answer in time")
        if isinstance(error, requests.exceptions.ProxyError):
            return self._trouble("cannot be reached through the proxy")
        return self._trouble("cannot be reached")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from sending what ~/.netrc holds for the host."""
    return request


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
