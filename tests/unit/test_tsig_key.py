"""TSIG keys as administrators write them, and mistakes in them that are told without quoting any of it."""

import pytest

from certward.nameserver.key import parse

SECRET = "c2VjcmV0Ly9zZWNyZXQ="  # noqa: S105 - has "//" in it, as any base64 may
RAW = b"secret//secret"

FORMS = {
    "nsupdate": f"hmac-sha256:acme-key:{SECRET}",
    "upper case": f"HMAC-SHA256:ACME-Key.:{SECRET}",
    "space around": f"\n hmac-sha256:acme-key:{SECRET} \n",
    "file": f'key "acme-key" {{ algorithm hmac-sha256; secret "{SECRET}"; }};',
    "file without quotes": f"key acme-key {{ secret {SECRET}; algorithm hmac-sha256; }};",
    "file of tsig-keygen": f'key "acme-key" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n',
    "file with comments": f'# made today\n/* by\nus */ key "acme-key" {{ // ours\nalgorithm hmac-sha256;\n'
    f'secret "{SECRET}"; # keep\n}};',
}
MISTAKES = {
    "empty": ("  ", "is empty"),
    "the secret alone": (SECRET, "cannot be read"),
    "no algorithm": (f"acme-key:{SECRET}", "names no algorithm"),
    "four parts": (f"hmac-sha256:a:b:{SECRET}", "cannot be read"),
    "old algorithm": (f"hmac-md5:acme-key:{SECRET}", "algorithm that is not supported; use one of hmac-sha224"),
    "no base64": ("hmac-sha256:acme-key:$ecret-word", "secret that is not base64"),
    "no secret": ("hmac-sha256:acme-key:", "an empty secret"),
    "no name": (f"hmac-sha256::{SECRET}", "name that is no DNS name"),
    "bad name": (f"hmac-sha256:a..b:{SECRET}", "name that is no DNS name"),
    "file without secret": ('key "k" { algorithm hmac-sha256; };', "needs an algorithm and a secret"),
    "file with more": (
        f'key "k" {{ algorithm hmac-sha256; secret "{SECRET}"; other 1; }};',
        "needs an algorithm and a secret and nothing else",
    ),
    "two keys": (f'key "k" {{ algorithm hmac-sha256; secret "{SECRET}"; }};' * 2, "is not one key"),
    "unfinished": (f'key "k" {{ algorithm hmac-sha256; secret "{SECRET}";', "is not one key"),
    "long": ("x" * 9000, "too long"),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms(text):
    key = parse(text)
    assert key.name.lower() == "acme-key"
    assert (key.algorithm, key.secret) == ("hmac-sha256", RAW)
    assert key.of_library().secret == RAW


@pytest.mark.parametrize(("text", "words"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(text, words):
    with pytest.raises(ValueError, match=words) as caught:
        parse(text)
    assert SECRET not in str(caught.value)
    assert "$ecret-word" not in str(caught.value)


def test_a_key_does_not_show_its_secret():
    assert "secret" not in repr(parse(FORMS["nsupdate"])).replace("secret//", "")
