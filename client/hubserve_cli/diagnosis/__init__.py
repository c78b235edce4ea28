"""Find out what hubserve needs on this machine, and what is missing."""
