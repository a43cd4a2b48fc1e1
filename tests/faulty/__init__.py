"""An ACME CA that gives trouble: Pebble behind a proxy that spoils some of what passes."""
