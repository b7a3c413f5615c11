"""A mesh file as a program writes one: kept as plain data, written one item a line, replaced
atomically."""

import json
import os


class MeshFile:
    def __init__(self, path, **settings):
        self.path = path
        self.settings = settings
        self.namespaces = {}
        self.services = {}  # by host
        self.workloads = {}  # by "namespace/name"
        self._written = None

    def namespace(self, name, **labels):
        self.namespaces[name] = {"name": name, "labels": labels}

    def service(self, host, namespace, vips, ports, endpoints=(), **more):
        """`ports`: [(number, protocol)], or numbers of HTTP ports; `endpoints`: [(address, port)],
        serving the first port, or [(address, port, servicePort)]."""
        ports = [port if isinstance(port, tuple) else (port, "http") for port in ports]
        self.services[host] = {
            "host": host,
            "namespace": namespace,
            "vips": list(vips),
            "ports": [
                {"number": number, "name": f"{protocol}-{number}", "protocol": protocol}
                for number, protocol in ports
            ],
            "endpoints": [
                {
                    "address": endpoint[0],
                    "port": endpoint[1],
                    "servicePort": endpoint[2] if len(endpoint) > 2 else ports[0][0],
                }
                for endpoint in endpoints
            ],
            **more,
        }
        return self.services[host]

    def workload(self, namespace, name, addresses, **labels):
        self.workloads[f"{namespace}/{name}"] = {
            "namespace": namespace,
            "name": name,
            "labels": {"app": name, **labels},
            "serviceAccount": name,
            "addresses": list(addresses),
        }

    def text(self, services=True):
        lines = [f"settings: {json.dumps(self.settings)}"]
        for key in ("namespaces", "services", "workloads"):
            items = getattr(self, key).values() if services or key != "services" else ()
            lines.append(f"{key}:" if items else f"{key}: []")
            lines += [f"- {json.dumps(item)}" for item in items]
        return "\n".join([*lines, ""])

    def write(self, text=None):
        """Put `text` (by default, what this object says) in force. Returns whether the file was
        another before."""
        text = self.text() if text is None else text
        if text == self._written:
            return False
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)
        self._written = text
        return True
