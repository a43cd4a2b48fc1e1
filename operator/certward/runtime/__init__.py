"""The running operator: queue, workers, lease, and the reconcilers that join what is seen, decided and done."""
