"""`make bench`: how fast the library is, each figure beside a peer's on the same mongod in the same run.

Look at the ratios: they hold on other machines, milliseconds don't. Nothing here is a test.
"""
