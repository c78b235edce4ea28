"""Check what hubserve needs on this machine, and report what is missing."""
