"""`make bench`: how fast the library is, each figure beside a peer's on the same mongod in the same run.

Ratios are what counts: they hold on another machine, milliseconds don't. Nothing here is a test.
"""
