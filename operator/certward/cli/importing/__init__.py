"""`import cert-manager`: what cert-manager is told becomes Apps, Domains and issuers of the operator's configuration.

All of it but three modules is pure: objects in, objects and a report out. Only sources reads, only writing writes, and
command is what is typed.
"""
