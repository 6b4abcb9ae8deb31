"""Looking on while a run or a sweep goes on elsewhere: in a terminal, or in a browser on this machine.

`state` reads what a folder says now, and nothing but reads: no lock is taken and no file written, so that what is
watched does not notice.  `local_page` serves it to a browser, on the loopback interface and behind a token.
"""
