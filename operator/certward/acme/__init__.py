"""ACME (RFC 8555): accounts, orders and challenges, with every failure turned into the operator's own errors.

- `client`: an issuer's directory and account, for many threads at once; `settings` is its configuration, `account`
  its key, `transport` one thread's connection, `tls` whom that trusts.
- `orders`: an order (`order`) one request at a time, so that it survives a restart between any two of them.
- `certificates`: renewal information, revocation, giving up authorizations.
- `problems`: what a CA may complain about, and what that means for a domain; `detail`: its own words.
- `http01`: the answers to HTTP-01, which need nothing but the account key's thumbprint; `dns01`: what goes into the
  DNS for the other challenges.

This room knows no Kubernetes.
"""
