"""Services that only have to be known: what makes a mesh large."""

HTTP_PORTS = [8000 + 10 * i for i in range(30)]


def populate(mesh, count, endpoints=3, ports=HTTP_PORTS, namespaces=20, first=0):
    """Add `count` HTTP services, each with `endpoints` addresses that nobody serves, spread over namespaces and ports.
    Returns their hosts."""
    hosts = []
    for index in range(first, first + count):
        namespace = f"ns-{index % namespaces}"
        if namespace not in mesh.namespaces:
            mesh.namespace(namespace)
        host = f"svc-{index}.{namespace}.svc.cluster.local"
        port = ports[index % len(ports)]
        mesh.service(host, namespace, [f"10.{112 + index // 62500}.{index // 250 % 250}.{index % 250 + 1}"], [port],
                     [(f"10.{128 + (index * endpoints + k) // 62500}.{(index * endpoints + k) // 250 % 250}."
                       f"{(index * endpoints + k) % 250 + 1}", port) for k in range(endpoints)])
        hosts.append(host)
    return hosts
