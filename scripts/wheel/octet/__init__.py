"""The program octet as a Python package: `octet` and `python -m octet` start octet/bin/octet in place of this process."""
import os
import pathlib
import sys


def main():
    program = pathlib.Path(__file__).parent / "bin" / "octet"
    os.execv(program, ["octet", *sys.argv[1:]])
