"""Hostile clients for every HTTP server of Certward: the real servers as processes, raw bytes over loopback.

`servers.py` is the program that serves, `surfaces.py` starts it and knows what a good request is, `cases.py` makes the
requests, `crowd.py` the slow clients, `judging.py` says what is wrong with an answer or with a log, and `campaign.py`
puts them together. `faults.py` has servers that do wrong, which has to be noticed.
"""
