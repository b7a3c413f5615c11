"""Services that only have to be known: what makes a mesh large."""

HTTP_PORTS = [8000 + 10 * i for i in range(30)]


def populate(mesh, count, endpoints=3, ports=HTTP_PORTS, namespaces=20):
    """Add `count` HTTP services, each with `endpoints` addresses that nobody serves, spread over
    namespaces and ports. Returns their hosts."""
    hosts = []
    for index in range(count):
        namespace = f"ns-{index % namespaces}"
        if namespace not in mesh.namespaces:
            mesh.namespace(namespace)
        host = f"svc-{index}.{namespace}.svc.cluster.local"
        port = ports[index % len(ports)]
        addresses = [_address(128, index * endpoints + k) for k in range(endpoints)]
        mesh.service(
            host, namespace, [_address(112, index)], [port], [(each, port) for each in addresses]
        )
        hosts.append(host)
    return hosts


def _address(second, number):
    """The address with this number in 10.SECOND.0.0 and above."""
    return f"10.{second + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
