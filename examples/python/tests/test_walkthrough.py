"""docs/bindings.md prints what the package computes."""

import doctest
import pathlib

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "docs" / "bindings.md"


def load_tests(loader, tests, pattern):
    tests.addTests(doctest.DocFileSuite(str(DOCUMENT), module_relative=False))
    return tests
