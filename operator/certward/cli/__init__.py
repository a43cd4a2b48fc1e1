"""`kubectl certward`: Certward for people, with the user's own kubeconfig and rights, never with the operator's."""
