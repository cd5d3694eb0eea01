"""Holds the licences and sources of `cargo metadata` against the lists in deny.toml.

    licences.py deny.toml METADATA.json          exits 1 and names each crate that is not covered
    licences.py --ignored-advisories deny.toml   prints the advisories that deny.toml leaves out
"""

import json
import re
import sys
import tomllib

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def satisfied(expression, allowed):
    """Whether an SPDX expression can be met with allowed licences only.

    The old form `MIT/Apache-2.0` means OR. An exception (`WITH …`) makes another licence of it, which has to be
    allowed by its full name.
    """
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek():
        return tokens[position] if position < len(tokens) else None

    def take():
        nonlocal position
        token = peek()
        position += 1
        return token

    def one():
        if peek() == "(":
            take()
            value = either()
            if take() != ")":
                raise ValueError(f"unbalanced: {expression}")
            return value
        name = take()
        if name is None or name in ("AND", "OR", "WITH", ")"):
            raise ValueError(f"not an SPDX expression: {expression}")
        if peek() == "WITH":
            take()
            name = f"{name} WITH {take()}"
        return name in allowed

    def both():
        value = one()
        while peek() == "AND":
            take()
            value = one() and value
        return value

    def either():
        value = both()
        while peek() == "OR":
            take()
            value = both() or value
        return value

    value = either()
    if peek() is not None:
        raise ValueError(f"not an SPDX expression: {expression}")
    return value


def problem_of(package, allowed):
    if package["source"] is None:
        return None
    if package["source"] != CRATES_IO:
        return "comes from somewhere else than crates.io"
    licence = package["license"]
    if not licence:
        return "states no licence"
    try:
        return None if satisfied(licence, allowed) else f"has the licence {licence}, which deny.toml does not allow"
    except ValueError as unreadable:
        return str(unreadable)


def main(arguments):
    if arguments[:1] == ["--ignored-advisories"]:
        with open(arguments[1], "rb") as file:
            for entry in tomllib.load(file)["advisories"]["ignore"]:
                print(entry["id"])
        return 0
    rules, metadata = arguments
    with open(rules, "rb") as file:
        allowed = set(tomllib.load(file)["licenses"]["allow"])
    with open(metadata, encoding="utf-8") as file:
        packages = json.load(file)["packages"]
    problems = [
        f"{package['name']} {package['version']} {problem}"
        for package in packages
        if (problem := problem_of(package, allowed))
    ]
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1
    print(f"{len(packages)} crates: licences and sources as deny.toml allows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
