"""What Argo CD and Flux make of Certward's objects, by their own rules."""
