"""The local cluster: a real Kubernetes API server with real parts around it, as plain processes of one user.

No containers, no root, nothing outside loopback. `make cluster-up` and `make cluster-down` are its doors for
people, the `cluster` fixture is its door for tests; docs/testing.md ("The local cluster") tells what is in it.
"""
