"""The values that Certward reasons about: pure, frozen, without I/O and without a clock."""
