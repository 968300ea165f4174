"""Prints the .cc files, one a line, that include torch neither themselves nor through octet's own headers.

They are compiled without torch's precompiled header, which costs each of them five times its own compile time.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
ROOMS = {"core", "kernels", "text", "datasets", "models", "calib", "quant", "eval", "finetune", "report", "tools", "tests"}
TORCH = ("ATen/", "c10/", "torch/")


def main():
    root = pathlib.Path(sys.argv[1])
    includes = {}

    def of(name):
        if name not in includes:
            path = root / name
            includes[name] = INCLUDE.findall(path.read_text()) if path.is_file() else []
        return includes[name]

    def sees_torch(name):
        waiting, seen = [name], set()
        while waiting:
            file = waiting.pop()
            for included in of(file):
                if included.startswith(TORCH):
                    return True
                if included not in seen and "/" in included:
                    seen.add(included)
                    waiting.append(included)
        return False

    for path in sorted((p for room in sorted(ROOMS) for p in (root / room).rglob("*.cc"))):
        name = path.relative_to(root).as_posix()
        if not sees_torch(name):
            print(name)


main()
