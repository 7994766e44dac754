"""A wheel that carries the library is one for a platform, though not for one Python; TRB_PLATFORM is its tag."""

import os
import pathlib

from setuptools import setup
from wheel.bdist_wheel import bdist_wheel


class Wheel(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = not any(pathlib.Path(__file__).parent.glob("trb/libtrb.so.*"))

    def get_tag(self):
        if self.root_is_pure:
            return super().get_tag()
        return "py3", "none", os.environ.get("TRB_PLATFORM", super().get_tag()[2])


setup(cmdclass={"bdist_wheel": Wheel})
