"""Options, signals, exit codes and files that the subcommands share."""
