"""The same job for pyinfra: packages, eight files with their modes, two kernel settings, two services.

Run by pyinfra, with the folder of the rendered files as host data `files`.
"""

from pathlib import Path

from pyinfra import host
from pyinfra.operations import apt, files, server, systemd

PATHS = {
    "/etc/sysctl.d/zz-lbdeploy.conf": "644",
    "/etc/haproxy/haproxy.cfg": "644",
    "/etc/keepalived/check-haproxy": "755",
    "/etc/keepalived/check-address": "755",
    "/etc/keepalived/announce": "755",
    "/etc/systemd/system/haproxy.service.d/lbdeploy.conf": "644",
    "/etc/systemd/system/keepalived.service.d/lbdeploy.conf": "644",
    "/etc/keepalived/keepalived.conf": "644",
}

apt.packages(packages=["haproxy", "keepalived", "socat"], update=True, cache_time=86400, no_recommends=True, _sudo=True)
changed = {
    path: files.put(
        src=str(Path(host.data.files) / host.name / path.lstrip("/")), dest=path, user="root", group="root", mode=mode,
        create_remote_dir=True, _sudo=True,
    )
    for path, mode in PATHS.items()
}  # fmt: skip
for key in ("net.ipv4.ip_nonlocal_bind", "net.ipv4.conf.all.promote_secondaries"):
    server.sysctl(key=key, value=1, _sudo=True)
for unit in ("haproxy", "keepalived"):
    dropin = f"/etc/systemd/system/{unit}.service.d/lbdeploy.conf"
    systemd.daemon_reload(_if=[changed[dropin].did_change], _sudo=True)
for unit, path in (("haproxy", "/etc/haproxy/haproxy.cfg"), ("keepalived", "/etc/keepalived/keepalived.conf")):
    systemd.service(service=unit, running=True, enabled=True, _sudo=True)
    systemd.service(service=unit, reloaded=True, _if=[changed[path].did_change], _sudo=True)
