"""`hubserve bench`: measure a model server under load, from outside.

These modules are arithmetic on times that are passed in: `arrivals`, `trial`, `measurements`, `table`, `chart`. The
others do I/O: `inputs` makes the requests, `drive` sends them, `machine` describes the client's machine, and `command`
leads from the options to the report.
"""
