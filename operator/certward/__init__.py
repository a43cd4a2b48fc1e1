"""Certward: automatic certificates and per-app TLS profiles for Kubernetes, proven by handshakes."""

__version__ = "0.1.0"
