"""python -m lrp_ref is lrp-ref."""

from lrp_ref.command.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
