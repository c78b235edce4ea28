"""Import gRPC with its log lines switched off; this module must be imported before any other that imports gRPC.

gRPC writes lines to standard error about problems that it handles, such as a server without a health service ("health
checking Watch method returned UNIMPLEMENTED"). Hubserve's errors tell why a call failed. gRPC reads the variables when
it is imported. To keep the lines, a program sets one of the variables, or imports gRPC before hubserve.
"""

import os
import sys

_VARIABLES = ("GRPC_VERBOSITY", "GRPC_TRACE")

if "grpc" not in sys.modules and not any(variable in os.environ for variable in _VARIABLES):
    os.environ["GRPC_VERBOSITY"] = "NONE"
    try:
        import grpc  # noqa: F401
    finally:
        # Programs that this one starts must not inherit it.
        del os.environ["GRPC_VERBOSITY"]
