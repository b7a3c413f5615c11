"""The demo's mesh: a dozen real servers in the shape of Istio's Bookinfo, grown to a small shop,
and as many other services as asked for around them."""

from lab.population import populate

NAMESPACE = "shop"
# Who calls whom. Every one of these is a real server with a real sidecar.
CALLS = {
    "productpage": ["details", "reviews", "cart", "recommendations"],
    "details": [],
    "reviews": ["ratings"],
    "ratings": [],
    "recommendations": ["catalogue"],
    "catalogue": [],
    "cart": ["inventory"],
    "inventory": [],
    "checkout": ["payment", "shipping", "currency"],
    "payment": [],
    "shipping": [],
    "currency": [],
}
PORTS = {
    name: 8080 if name in ("checkout", "payment", "shipping", "currency") else 9080
    for name in CALLS
}
CLIENT_CALLS = ["productpage", "checkout"]
LAZY_CLIENT, FULL_CLIENT = "client", "client-full"


def host(name):
    return f"{name}.{NAMESPACE}.svc.cluster.local"


def build(lab, services):
    """Fill the lab's mesh file with `services` services, and make the pods: (clients, servers), by
    name."""
    mesh = lab.mesh
    mesh.namespace(NAMESPACE, **{"lazymesh.io/lazy": "enabled"})
    clients = {
        LAZY_CLIENT: lab.pod(NAMESPACE, LAZY_CLIENT),
        FULL_CLIENT: lab.pod(NAMESPACE, FULL_CLIENT, **{"lazymesh.io/lazy": "disabled"}),
    }
    servers = {name: lab.pod(NAMESPACE, name) for name in CALLS}
    for name, pod in servers.items():
        mesh.service(
            host(name), NAMESPACE, [lab.next_vip()], [PORTS[name]], [pod.endpoint(PORTS[name])]
        )
    populate(mesh, services - len(servers))
    return clients, servers


def serve(servers):
    """Start the servers' applications."""
    for name, pod in servers.items():
        pod.serve(PORTS[name], calls=[host(callee) for callee in CALLS[name]])


def edges():
    """Every dependency that lazy workloads have: (source, destination)."""
    return [
        *((LAZY_CLIENT, callee) for callee in CLIENT_CALLS),
        *((name, callee) for name, callees in CALLS.items() for callee in callees),
    ]
