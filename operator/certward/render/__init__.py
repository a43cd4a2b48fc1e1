"""From decisions to manifests. Pure: the same input renders the same bytes."""
