"""Every path of the Engine API: what is served, and what is refused by name."""

from dockwright.api.handlers import (
    containers,
    execs,
    files,
    images,
    networks,
    registries,
    streams,
    system,
    unimplemented,
    volumes,
)
from dockwright.api.router import Handler, Route

SERVED = [
    Route("HEAD", "/_ping", system.ping),
    Route("GET", "/_ping", system.ping),
    Route("GET", "/version", system.version),
    Route("GET", "/info", system.info),
    Route("GET", "/events", system.events, streams=True),
    Route("POST", "/auth", registries.auth),
    Route("GET", "/containers/json", containers.list_),
    Route("POST", "/containers/create", containers.create),
    Route("POST", "/containers/prune", containers.prune),
    Route("GET", "/containers/{name}/json", containers.inspect),
    Route("GET", "/containers/{name}/top", containers.top),
    Route("GET", "/containers/{name}/logs", streams.logs, streams=True),
    Route("GET", "/containers/{name}/stats", streams.stats, streams=True),
    Route("POST", "/containers/{name}/resize", containers.resize),
    Route("POST", "/containers/{name}/start", containers.start),
    Route("POST", "/containers/{name}/stop", containers.stop),
    Route("POST", "/containers/{name}/restart", containers.restart),
    Route("POST", "/containers/{name}/kill", containers.kill),
    Route("POST", "/containers/{name}/rename", containers.rename),
    Route("POST", "/containers/{name}/pause", containers.pause),
    Route("POST", "/containers/{name}/unpause", containers.unpause),
    Route("POST", "/containers/{name}/attach", streams.attach),
    Route("GET", "/containers/{name}/attach/ws", streams.attach_websocket),
    Route("POST", "/containers/{name}/update", containers.update),
    Route("POST", "/containers/{name}/wait", containers.wait, streams=True),
    Route("DELETE", "/containers/{name}", containers.remove),
    Route("HEAD", "/containers/{name}/archive", files.path_stat),
    Route("GET", "/containers/{name}/archive", files.get_archive, streams=True),
    Route("PUT", "/containers/{name}/archive", files.put_archive),
    Route("GET", "/containers/{name}/changes", files.changes),
    Route("POST", "/commit", files.commit),
    Route("GET", "/containers/{name}/export", files.export, streams=True),
    Route("POST", "/containers/{name}/exec", execs.create),
    Route("POST", "/exec/{name}/start", execs.start),
    Route("POST", "/exec/{name}/resize", execs.resize),
    Route("GET", "/exec/{name}/json", execs.inspect),
    Route("GET", "/images/json", images.list_),
    Route("POST", "/images/create", images.create),
    Route("GET", "/images/{name}/json", images.inspect),
    Route("GET", "/images/{name}/history", images.history),
    Route("POST", "/images/{name}/tag", images.tag),
    Route("DELETE", "/images/{name}", images.delete),
    Route("GET", "/images/{name}/get", images.save_one, streams=True),
    Route("GET", "/images/get", images.save_many, streams=True),
    Route("POST", "/images/load", images.load),
    Route("POST", "/images/prune", images.prune),
    Route("POST", "/images/{name}/push", images.push),
    Route("GET", "/system/df", system.usage),
    Route("POST", "/build/prune", system.build_prune),
    Route("GET", "/images/search", registries.search),
    Route("GET", "/distribution/{name}/json", registries.distribution),
    Route("GET", "/plugins", system.plugins),
    Route("GET", "/networks", networks.list_),
    Route("POST", "/networks/create", networks.create),
    Route("POST", "/networks/prune", networks.prune),
    Route("GET", "/networks/{name}", networks.inspect),
    Route("DELETE", "/networks/{name}", networks.remove),
    Route("POST", "/networks/{name}/connect", networks.connect),
    Route("POST", "/networks/{name}/disconnect", networks.disconnect),
    Route("GET", "/volumes", volumes.list_),
    Route("POST", "/volumes/create", volumes.create),
    Route("POST", "/volumes/prune", volumes.prune),
    Route("GET", "/volumes/{name}", volumes.inspect),
    Route("DELETE", "/volumes/{name}", volumes.remove),
    Route("GET", "/dockwright/v1/volumes/{name}/export", volumes.export, streams=True),
    Route("POST", "/dockwright/v1/volumes/{name}/import", volumes.import_),
    Route("POST", "/dockwright/v1/volumes/{name}/clone", volumes.clone),
    Route("GET", "/dockwright/v1/containers/{name}/trace", containers.trace),
    Route("POST", "/dockwright/v1/plan", containers.plan),
    Route("GET", "/dockwright/v1/images/{name}/layers", images.layers),
    Route("GET", "/dockwright/v1/images/{name}/diff", images.diff),
    Route("GET", "/dockwright/v1/system/disk", system.disk),
    Route("POST", "/dockwright/v1/system/check", system.check),
    Route("POST", "/dockwright/v1/images/{name}/verify", registries.verify),
    Route("GET", "/dockwright/v1/dns", networks.explain_name),
    Route("GET", "/dockwright/v1/networks/map", networks.map_),
]


def _refused(handler: Handler, *lines: str) -> list[Route]:
    """Routes to `handler`; each line is `METHOD path path ...`."""
    return [Route(line.split()[0], path, handler) for line in lines for path in line.split()[1:]]


NOT_YET = _refused(
    unimplemented.not_yet,
    "POST /build /build/cancel",
    "POST /session /grpc /containers/{name}/copy",
    "GET /images/{name}/attestations",
    "POST /containers/{name}/checkpoints",
    "GET /containers/{name}/checkpoints",
)

SWARM = _refused(
    unimplemented.no_swarm,
    "GET /swarm /swarm/unlockkey /nodes /nodes/{name} /services /services/{name} /services/{name}/logs",
    "GET /tasks /tasks/{name} /tasks/{name}/logs /secrets /secrets/{name} /configs /configs/{name}",
    "POST /swarm/leave /swarm/update /swarm/unlock /nodes/{name}/update /services/create /services/{name}/update",
    "POST /secrets/create /secrets/{name}/update /configs/create /configs/{name}/update",
    "PUT /volumes/{name}",
    "DELETE /nodes/{name} /services/{name} /secrets/{name} /configs/{name}",
) + _refused(unimplemented.no_swarm_support, "POST /swarm/init /swarm/join")

PLUGINS = _refused(
    unimplemented.no_plugins,
    "GET /plugins/privileges /plugins/{name}/json",
    "POST /plugins/pull /plugins/create /plugins/{name}/enable /plugins/{name}/disable /plugins/{name}/upgrade",
    "POST /plugins/{name}/push /plugins/{name}/set",
    "DELETE /plugins/{name}",
)

ROUTES = SERVED + NOT_YET + SWARM + PLUGINS
