"""`explain`: the chain from a hostname's DNS to the handshake, and the link in which it breaks.

- `gather` asks the API server, `looks` asks DNS, the challenge path and the TLS entry; they fill in `facts`.
- `chain` judges the facts, link by link, in `claim`, `outside`, `issuance` and `serving`. It does no I/O.
- `command` is what is typed.
"""
