"""What an address really serves: its certificate, and the versions, suites and groups that it accepts."""
