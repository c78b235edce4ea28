"""The `hubserve` command: the group, and the subcommands that need no more than the client."""
