"""Fails when a room includes a room to its right, or when a .cu file or a torch-free room sees torch."""
import pathlib
import re
import sys

ROOMS = ["core", "kernels", "text", "datasets", "models", "calib", "quant", "eval", "finetune", "report", "tools"]
TORCH_FREE = {"core", "kernels", "text", "datasets"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def violations(root):
    for rank, room in enumerate(ROOMS):
        for path in sorted((root / room).rglob("*")):
            if path.suffix not in {".h", ".cc", ".cu", ".cuh"}:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                first = match.group(1).split("/")[0]
                place = f"{path.relative_to(root)}:{number}"
                if first in ROOMS and ROOMS.index(first) > rank:
                    yield f"{place}: {room}/ includes {first}/, which lies to its right"
                if first in {"torch", "ATen", "c10"} and room in TORCH_FREE:
                    yield f"{place}: {room}/ is free of torch but includes {match.group(1)}"
                if first == "boost" and room != "tools":
                    yield f"{place}: Boost.Program_options is met in tools/ alone"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or f"include flow holds over {len(ROOMS)} rooms")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
