"""Run the command with `python -m hubserve`."""

from hubserve_cli.main import main

if __name__ == "__main__":
    main()
