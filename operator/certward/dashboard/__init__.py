"""The dashboard: a web server on loopback for one user, with that user's own rights in the cluster."""
