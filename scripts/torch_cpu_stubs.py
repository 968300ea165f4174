"""Lets Python import the CUDA build of torch on a machine without a GPU and without CUDA's libraries.

The wheel's Python module is linked with cuBLAS, cuDNN, NCCL and others (2 GB to download), of which a run on
the CPU calls nothing. For each such library that is not installed this writes a tiny shared library of the same
SONAME and symbol versions into STUB_DIR. Every function returns 1, which is an error status in all of these
interfaces. A .pth file in the site-packages of the running interpreter loads them before torch.
octet itself links none of them and never sees STUB_DIR.

usage: torch_cpu_stubs.py STUB_DIR
"""

import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

# Libraries without symbol versions, by the prefix of their functions.
UNVERSIONED = {"nccl": "libnccl.so.2", "cusparseLt": "libcusparseLt.so.0", "cuFile": "libcufile.so.0",
               "curand": "libcurand.so.10", "cufft": "libcufft.so.12", "nvshmem": "libnvshmem_host.so.3"}
# Not libcuda.so.1: that is the driver's, and torch's core does without it.
CUDA_LIBRARY = re.compile(r"lib(cu(?!da\.)|nccl|nvshmem)[A-Za-z_]*\.so\.\d+")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needs(library):
    """The SONAMEs LIBRARY needs, and {version: SONAME} of the symbol versions it asks for."""
    text = output("objdump", "-p", str(library))
    versions, source = {}, None
    for line in text.partition("Version References:")[2].splitlines():
        if match := re.match(r"\s+required from (\S+):", line):
            source = match[1]
        elif match := re.match(r"\s+0x\w+ 0x\w+ \d+ (\S+)", line):
            versions[match[1]] = source
    return re.findall(r"NEEDED\s+(\S+)", text), versions


def wanted_symbols(libraries, installed):
    """{SONAME: {version or "": names}} for every CUDA library that is needed and not installed."""
    wanted = {}
    for library in libraries:
        sonames, versions = needs(library)
        for soname in filter(CUDA_LIBRARY.fullmatch, sonames):
            if soname not in installed:
                wanted.setdefault(soname, {})
        for line in output("nm", "-D", "--undefined-only", str(library)).splitlines():
            name, _, version = line.split()[-1].partition("@")
            soname = versions.get(version)
            if not version:
                soname = next((so for prefix, so in UNVERSIONED.items() if name.startswith(prefix)), None)
            if soname in wanted:
                wanted[soname].setdefault(version, set()).add(name)
    return wanted


def build(folder, soname, symbols):
    names = sorted(set().union(*symbols.values()))
    source = folder / (soname + ".c")
    source.write_text("".join(f"int {name}(void) {{ return 1; }}\n" for name in names) or "int octet_stub;\n")
    command = ["cc", "-shared", "-fPIC", "-O1", "-w", "-fno-builtin", f"-Wl,-soname,{soname}", "-o", str(folder / soname),
               str(source)]
    versioned = {version: group for version, group in symbols.items() if version}
    if versioned:
        script = folder / (soname + ".map")
        script.write_text("".join(f"{version} {{ global: {'; '.join(sorted(group))}; }};\n"
                                  for version, group in versioned.items()))
        command.append(f"-Wl,--version-script={script}")
    subprocess.run(command, check=True)


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    torch = pathlib.Path(importlib.util.find_spec("torch").origin).parent
    installed = {path.name for path in (torch.parent / "nvidia").rglob("lib*.so*")}
    wanted = wanted_symbols(sorted((torch / "lib").glob("lib*.so")), installed)
    for soname, symbols in sorted(wanted.items()):
        build(folder, soname, symbols)
    # One line: a .pth file executes only lines that start with "import".
    line = f"import ctypes, glob; [*map(ctypes.CDLL, glob.glob({str(folder)!r} + '/lib*.so.*[0-9]'))]\n"
    pathlib.Path(sysconfig.get_paths()["purelib"], "torch_cpu_stubs.pth").write_text(line if wanted else "")
    print(f"torch for the CPU: {len(wanted)} stub libraries in {folder.name}")


if __name__ == "__main__":
    main()
