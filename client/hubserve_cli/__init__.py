"""The `hubserve` command: the group of subcommands, and those that need only the client."""
