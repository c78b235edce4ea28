"""Imports gRPC with its own log lines switched off; imported before anything that imports gRPC.

gRPC writes lines to standard error about what it handles by itself, such as a server without a health service ("health
checking Watch method returned UNIMPLEMENTED"). What fails a call is in hubserve's errors. gRPC reads the variables when
it is imported. So a program keeps the lines if it has set the variables, or has imported gRPC before.
"""

import os
import sys

_VARIABLES = ("GRPC_VERBOSITY", "GRPC_TRACE")

if "grpc" not in sys.modules and not any(variable in os.environ for variable in _VARIABLES):
    os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        import grpc  # noqa: F401
    finally:
        # Not for the programs that this one starts.
        del os.environ["GRPC_VERBOSITY"]
