"""Print the exact versions of everything installed here, for `requirements.lock`."""

from importlib.metadata import distributions


def main() -> None:
    """One `name==version` a line, sorted; a build's local part (`+cpu`) is left out."""
    own = {"inhouse", "pip", "setuptools", "wheel"}
    found = {
        dist.metadata["Name"].lower().replace("_", "-"): dist.version.partition("+")[0]
        for dist in distributions()
    }
    for name in sorted(found.keys() - own):
        print(f"{name}=={found[name]}")


if __name__ == "__main__":
    main()
