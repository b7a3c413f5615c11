"""Turn the xds-protos package into C++ sources of the Envoy API.

Usage: generate.py ROOTS OUT_DIR

Reads the .proto names listed in ROOTS, walks the descriptors of the installed `xds-protos` Python package into one
FileDescriptorSet that holds them and everything they import, and lets protoc write C++ from it into OUT_DIR. Files
under google/protobuf are part of the protobuf library and are not generated.
"""

import importlib
import pathlib
import shutil
import subprocess
import sys

from google.protobuf import descriptor_pb2

SERVICES = ("envoy/service/discovery/v3/ads.proto", "envoy/service/accesslog/v3/als.proto")


def collect(name, files):
    """Add the file called `name`, after everything it imports, to `files` (name -> FileDescriptorProto)."""
    module = importlib.import_module(name.removesuffix(".proto").replace("-", "_").replace("/", ".") + "_pb2")
    _collect_descriptor(module.DESCRIPTOR, files)


def _collect_descriptor(descriptor, files):
    if descriptor.name in files:
        return
    files[descriptor.name] = None  # imports form no cycle; this only marks the file as visited
    for dependency in descriptor.dependencies:
        _collect_descriptor(dependency, files)
    proto = descriptor_pb2.FileDescriptorProto()
    descriptor.CopyToProto(proto)
    files.pop(descriptor.name)
    files[descriptor.name] = proto


def main(roots_file, out_dir):
    out = pathlib.Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    roots = [line.split("#")[0].strip() for line in pathlib.Path(roots_file).read_text().splitlines()]
    files = {}
    for root in filter(None, roots):
        collect(root, files)
    descriptors = out / "envoy.desc"
    descriptors.write_bytes(descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString())
    names = [name for name in files if not name.startswith("google/protobuf/")]
    plugin = shutil.which("grpc_cpp_plugin")
    if plugin is None:
        sys.exit("generate.py: grpc_cpp_plugin not found; run ./run setup")
    subprocess.run(["protoc", f"--descriptor_set_in={descriptors}", f"--cpp_out={out}", *names], check=True)
    subprocess.run(
        ["protoc", f"--descriptor_set_in={descriptors}", f"--plugin=protoc-gen-grpc={plugin}", f"--grpc_out={out}",
         *SERVICES], check=True)
    print(f"{len(names)} files of the Envoy API")


if __name__ == "__main__":
    main(*sys.argv[1:])
