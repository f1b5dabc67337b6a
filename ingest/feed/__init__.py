"""Everything that speaks to Alpaca: the only package that imports alpaca-py.

The streams are alpaca-py's own classes. What is added is a tap on the socket, so that
each frame is recorded before alpaca-py may lose it, and supervision, because its
clients never tell their caller that they are mute, refused or empty. REST can send GET
requests only.
"""
