"""Share options, signals, exit codes and files between the subcommands."""
