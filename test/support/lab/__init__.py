"""A mesh on one machine: real Envoys, our programs, applications, and the network between them."""

from lab.eventually import eventually
from lab.http import Connection, Response
from lab.lab import Lab, Pod
from lab.mesh_file import MeshFile

__all__ = ["Connection", "Lab", "MeshFile", "Pod", "Response", "eventually"]
