"Packaging from `settings.ini`, the one place where name, version and requirements stand."

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read(here / "settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]
extras = {
    key.removesuffix("_requirements"): value.split()
    for key, value in cfg.items()
    if key.endswith("_requirements")
}
name = cfg["lib_name"]
files = f"{cfg['git_url']}/blob/{cfg['branch']}/"
images = files.replace("github.com", "raw.githubusercontent.com").replace("/blob/", "/")


def absolute(link):
    "A relative link of the README as one that leads to the repository from anywhere."
    return f"{link[1]}({images if link[1].startswith('!') else files}{link[2]})"


readme = (here / "README.md").read_text(encoding="utf-8")
readme = re.sub(r"(!?\[[^\]]*\])\((?!https?:|#|mailto:)([^)]+)\)", absolute, readme)
readme = re.sub(r'( src(?:set)?=")(?!https?:)', rf"\1{images}", readme)

setup(
    name=name,
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme,
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    license="Apache-2.0",
    license_files=["LICENSE"],
    url=cfg["git_url"],
    keywords=cfg["keywords"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    packages=find_packages(include=[name, f"{name}.*"]),
    package_data={name: ["py.typed", "resources/*"]},
    entry_points={
        "console_scripts": [f"plurality={name}.cli.app:main"],
        "nbdev": [f"{name}={name}._modidx:d"],
    },
)
