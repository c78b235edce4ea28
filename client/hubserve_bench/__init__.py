"""`hubserve bench`: what a model server does under load, measured from outside.

The pure half is arithmetic on times that are passed in: `arrivals`, `trial`, `measurements`, `table`,
`chart`. The other half talks to the world: `inputs` makes what is sent, `drive` sends it, `machine` looks at where it
runs, and `command` is the procedure from the options to the report.
"""
