"""The DNS servers of DNS-01: dynamic updates (RFC 2136) signed with TSIG (RFC 8945), and what their zone shows.

- `key`: a TSIG key as administrators write it.
- `update`: one TXT value put in, taken out, or a look at whether that would work.
- `zone`: who is authoritative for a zone, and whether all of them show a value.

This room knows no Kubernetes and no CA.
"""
