"""The API server: reading, server-side apply, and the snapshot of our own kinds. Knows nothing of ACME."""
