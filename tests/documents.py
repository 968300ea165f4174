"""Fails when a document names a file, a test or an option that does not exist."""
import fnmatch
import pathlib
import re
import sys

GENERATED = "docs/cli.md"
ROOTS = "core kernels text datasets models calib quant eval finetune report tools tests scripts docs cmake".split()
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(r"(?<![\w/.:<-])((?:" + "|".join(ROOTS) + r")/[\w*./-]*[\w*/])")
CODE = re.compile(r"^```.*?^```|`[^`]+`", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^|[\s`/(;|])octet ((?:calib )?[a-z]+) ([^;|`]*)")
TEST = re.compile(r"(?:--gtest_filter=|ctest -R )'?\*?([A-Z]\w+)|\b([A-Z]\w+)\.([A-Z]\w+)(?:/\w+)?`|\(([A-Z]\w+Oracle)\b")


def source_tree(root):
    """Files and folders of the tree, without what is built or downloaded into it."""
    left_out = {".git", ".deps", "demo"}
    tops = [top for top in root.iterdir() if top.name not in left_out and not top.name.startswith("build")]
    paths = [path for top in tops for path in [top, *top.rglob("*")] if "__pycache__" not in path.parts]
    return {str(path.relative_to(root)) for path in paths}


def tests(root):
    """Names of the form Suite.Test from the sources of the tests."""
    found = set()
    for path in (root / "tests").rglob("*_test.cc"):
        text = path.read_text()
        found |= {f"{suite}.{test}" for suite, test in re.findall(r"TEST(?:_P|_F)?\(\s*(\w+),\s*(\w+)\)", text)}
    return found


def options(root):
    """The options of each command, as the generated page lists them."""
    sections = re.split(r"^### octet (.+)$", (root / GENERATED).read_text(), flags=re.MULTILINE)[1:]
    return {name: set(re.findall(r"^  (--[\w-]+)", text, re.MULTILINE))
            for name, text in zip(sections[::2], sections[1::2])}


def wrong_paths(text, page, names):
    for target in LINK.findall(text):
        if "://" not in target and str(pathlib.Path(page).parent / target).rstrip("/") not in names:
            yield f"link to {target}"
    for path in PATH.findall(text):
        path = path.rstrip("/")
        if re.search(r"NAME|ROOM", path):  # a placeholder, as in tests/ROOM/NAME_test.cc
            continue
        candidates = [path] + [path + suffix for suffix in (".h", ".cc", ".cu", ".py")]
        found = fnmatch.filter(names, path) if "*" in path else names.intersection(candidates)
        if not found:
            yield f"no file {path}"


def wrong_tests(text, known):
    suites = {name.split(".")[0] for name in known}
    for filtered, suite, test, oracle in TEST.findall(text):
        part = filtered or oracle
        if part and not any(part in name for name in known):
            yield f"no test {part}"
        if (suite in suites or suite.endswith(("Gpu", "Oracle"))) and f"{suite}.{test}" not in known:
            yield f"no test {suite}.{test}"


def wrong_options(text, known):
    for code in CODE.findall(text):
        for line in re.sub(r"\\\n", " ", code.strip("`")).split("\n\n"):
            for command, rest in COMMAND.findall(line if code.startswith("```") else line.replace("\n", " ")):
                if command not in known:
                    if command.split()[0] in known:
                        command = command.split()[0]
                    else:
                        continue
                for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest.split("\n")[0].split(" #")[0]):
                    if flag not in known[command]:
                        yield f"octet {command} has no option {flag}"


def wrong_flags(text, known):
    for flag in re.findall(r"`(--[a-z][\w-]*)", text):
        if flag not in known:
            yield f"no option {flag}"


def problems(root):
    names, known_tests, known_options = source_tree(root), tests(root), options(root)
    scripts = "".join(path.read_text() for path in (root / "scripts").rglob("*") if path.is_file())
    flags = set().union(*known_options.values(), re.findall(r"--[a-z][\w-]*", scripts))
    pages = [name for name in names if name.endswith(".md") and name != GENERATED]
    for page in sorted(pages):
        text = (root / page).read_text()
        found = [*wrong_paths(text, page, names), *wrong_tests(text, known_tests), *wrong_options(text, known_options),
                 *wrong_flags(text, flags)]
        yield from (f"{page}: {problem}" for problem in found)


def main():
    found = list(problems(pathlib.Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "every file, test and option that the documents name exists")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
