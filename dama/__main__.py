"""`python -m dama` is `dama`."""

from dama.cli.app import main

if __name__ == "__main__":
    main()
