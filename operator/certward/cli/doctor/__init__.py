"""`doctor`: whether the installation is in order."""
