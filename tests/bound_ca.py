"""A CA that wants an external account (RFC 8555, 7.3.4), for tests of what it tells of whose key is which."""

import json
from enum import StrEnum

from acme import jws
from josepy import b64
from josepy.jwk import JWK

from scripted_ca import PROBLEM, ScriptedCA, order_document

KEY_ID, HMAC_KEY = "customer-1", "YSBrZXkgdGhhdCBub2JvZHkgZWxzZSBrbm93cw"


class Tells(StrEnum):
    """To whom it says whether there is an account with their key (RFC 8555, 7.3.1)."""

    EVERYBODY = "to everybody"
    BOUND = "to those who show a binding"
    NEWLY_BOUND = "to those who show a binding that was never used"


class BoundCA(ScriptedCA):
    """It checks who has signed what, and takes each binding for one account.

    Attributes:
        keys: the thumbprint of each account's key, by its URL.
        tells: who is told about accounts by newAccount.
        shows: whether an account can be asked for itself by who has its key.
        drops: how many of the next answers to keyChange get lost.
        is_busy: newAccount is for nobody, for ten minutes.
    """

    def __init__(self, tells):
        super().__init__()
        self.keys = {}
        self.tells = tells
        self.shows = True
        self.drops = 0
        self.is_busy = False
        self._public = {}
        self._bound = set()
        status, directory, _ = self.replies["/directory"][0]
        self.says("/directory", (status, directory | {"keyChange": f"{self.url}/keyChange"}))
        self.says("/newAccount", self._new_account)
        self.says("/account/1", self._account)
        self.says("/keyChange", self._key_change)
        self.says("/newOrder", self._new_order)

    def asked(self, path):
        """How often something was asked for by a signed request."""
        return self.seen.count(("POST", path))

    def _new_account(self, body):
        if self.is_busy:
            return 429, {"type": f"{PROBLEM}rateLimited"}, {"Retry-After": "600"}
        key, payload = self._opened(body)
        asked, print_ = json.loads(payload), _thumbprint(key)
        known = next((url for url, one in self.keys.items() if one == print_), "")
        bound_by = _key_id(asked.get("externalAccountBinding"))
        if bound_by is None and self.tells is not Tells.EVERYBODY:
            return _problem("externalAccountRequired")
        is_used = bound_by in self._bound
        if bound_by is not None and is_used and self.tells is Tells.NEWLY_BOUND:
            return _problem("unauthorized", "the binding has been used")
        if known:
            return 200, {}, {"Location": known}
        if asked.get("onlyReturnExisting"):
            return _problem("accountDoesNotExist")
        if bound_by is None or is_used:
            return _problem("unauthorized" if is_used else "externalAccountRequired")
        url = f"{self.url}/account/{len(self.keys) + 1}"
        self._bound.add(bound_by)
        self._give(url, key)
        return 201, {}, {"Location": url}

    def _account(self, body):
        key, _ = self._opened(body)
        return (200, {"status": "valid"}) if self.shows and key else _problem("malformed")

    def _key_change(self, body):
        key, payload = self._opened(body)
        if not key:
            return _problem("unauthorized")
        new, endorsed = self._opened(payload)
        change = json.loads(endorsed)
        assert JWK.from_json(change["oldKey"]) == key
        if _thumbprint(new) in self.keys.values():
            return _problem("malformed", "another account has this key")
        self._give(change["account"], new)
        self.drops -= 1
        return (200, {}) if self.drops < 0 else (500, b"")

    def _new_order(self, body):
        key, _ = self._opened(body)
        if not key:
            return _problem("unauthorized", "the signature is not the account's")
        return 201, order_document(self, "ready"), {"Location": f"{self.url}/order"}

    def _give(self, url, key):
        self.keys[url] = _thumbprint(key)
        self._public[url] = key

    def _opened(self, body):
        """Who has signed a request, None where the account that is named has not, and what it says."""
        signed = jws.JWS.json_loads(body.decode())
        header = signed.signature.combined
        key = header.jwk or self._public.get(header.kid)
        return (key if key and signed.verify(key) else None), signed.payload


def _thumbprint(key):
    return b64.b64encode(key.thumbprint()).decode()


def _key_id(binding):
    return json.loads(b64.b64decode(binding["protected"]))["kid"] if binding else None


def _problem(code, detail=""):
    return 400, {"type": PROBLEM + code, "detail": detail}
