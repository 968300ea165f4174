"""Completes a wheel of octet: shared libraries that neither torch nor every Linux has go into octet.libs/, where the run path of
the program looks for them, with the licenses of their Debian packages, and the platform tag becomes that of the glibc which program and libraries ask for.

usage: bundle_libraries.py WHEEL OUT_DIR TORCH_DIR    (prints the path of the new wheel)
"""
import base64
import csv
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

PROGRAM = "octet/bin/octet"
# glibc, the compiler's runtime (as new as glibc on every system, see GLIBCXX), what the torch wheel brings, the driver.
EXPECTED = re.compile(r"(ld-linux.*|linux-vdso|lib(c|m|dl|rt|pthread|util|resolv|stdc\+\+|gcc_s|gomp|torch.*|c10.*|"
                      r"cudart|cupti|cuda))\.so")
# The first glibc of systems whose libstdc++ has a version.
GLIBCXX = {(3, 4, 29): (2, 34), (3, 4, 30): (2, 35), (3, 4, 31): (2, 38), (3, 4, 32): (2, 38), (3, 4, 33): (2, 40)}


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def needed_libraries(program, torch):
    """{SONAME: path} of what `program` is linked with, directly or not, and a bare system with torch lacks."""
    path = f"{torch}/lib:{torch}/../nvidia/cu13/lib"
    libraries = {}
    for line in output("ldd", str(program), env={**os.environ, "LD_LIBRARY_PATH": path}).splitlines():
        name, arrow, place = (line.split() + ["", ""])[:3]
        if arrow != "=>" or EXPECTED.match(name):
            continue
        if not place.startswith("/"):
            sys.exit(f"bundle_libraries: {name} is not on this machine")
        libraries[name] = pathlib.Path(place)
    return libraries


def oldest_glibc(files):
    """(major, minor) of the oldest glibc that serves all of them."""
    oldest = (2, 17)
    for file in files:
        text = output("objdump", "-p", str(file))
        for kind, version in re.findall(r"\b(GLIBC|GLIBCXX)_([0-9.]+)", text):
            number = tuple(map(int, version.split(".")))
            if kind == "GLIBCXX":
                number = max([glibc for first, glibc in GLIBCXX.items() if first <= number], default=(2, 17))
                if tuple(map(int, version.split("."))) > max(GLIBCXX):
                    sys.exit(f"bundle_libraries: no glibc is known for GLIBCXX_{version}")
            oldest = max(oldest, number[:2])
    return oldest


def copy_licenses(libraries, folder):
    """The copyright files of the Debian packages that the libraries are from."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in libraries:
        package = output("dpkg-query", "-S", f"*/{place.resolve().name}").split(":")[0]
        shutil.copy(f"/usr/share/doc/{package}/copyright", folder / package)


def write_record(root, info):
    rows = []
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        name = file.relative_to(root).as_posix()
        if name == f"{info}/RECORD":
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
        rows.append([name, f"sha256={digest}", file.stat().st_size])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*rows, [f"{info}/RECORD", "", ""]])
    (root / info / "RECORD").write_text(text.getvalue())


def unpack(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            file = pathlib.Path(archive.extract(entry, root))
            if entry.external_attr >> 16 & 0o111:
                file.chmod(0o755)


def pack(root, wheel):
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in root.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(root).as_posix())


def main():
    wheel, out, torch = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        unpack(wheel, root)
        program, libs = root / PROGRAM, root / "octet.libs"
        libs.mkdir()
        needed = needed_libraries(program, torch)
        for name, place in needed.items():
            shutil.copy(place, libs / name)
        files = [program, *libs.iterdir()]
        for file in files:
            file.chmod(0o755)
            subprocess.run(["strip", "--strip-unneeded", str(file)], check=True)
        tag = "py3-none-manylinux_{}_{}_{}".format(*oldest_glibc(files), os.uname().machine)
        info = next(root.glob("*.dist-info"))
        copy_licenses(needed.values(), info / "licenses" / "libraries")
        text = (info / "WHEEL").read_text()
        (info / "WHEEL").write_text(re.sub(r"^Tag: .*$", f"Tag: {tag}", text, flags=re.M))
        write_record(root, info.name)
        target = out / f"{info.name.removesuffix('.dist-info')}-{tag}.whl"
        pack(root, target)
    print(target)


if __name__ == "__main__":
    main()
