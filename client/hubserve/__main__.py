"""`python -m hubserve`, and the console script of the same name."""

from hubserve._command.main import main

if __name__ == "__main__":
    main()
