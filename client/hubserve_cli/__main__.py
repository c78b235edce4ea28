"""Run the command with `python -m hubserve_cli`."""

from .main import main

if __name__ == "__main__":
    main()
