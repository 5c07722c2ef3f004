"""Runs in the toolchain test-swift: Swift's account, container and object servers and its proxy with `s3api`, on ports
of the kernel's choice and with one folder as their only disk.

Arguments: that folder, and the access key (`ACCOUNT:USER`) and secret of the only user. Prints the proxy's port once it
listens; `asked` in the folder has a line for every request, as it comes: the method, and the path.

One process, as in Swift's own tests: its four programs differ in little else than the configuration that each is given.
"""

import eventlet

eventlet.monkey_patch()

import sys  # noqa: E402 - after what replaces parts of the standard library
from pathlib import Path  # noqa: E402

from eventlet import wsgi  # noqa: E402
from swift.common import utils  # noqa: E402

_PIPELINE = "catch_errors gatekeeper listing_formats bulk s3api tempauth slo proxy-server"


def main(folder: Path, access: str, secret: str) -> None:
    devices = folder / "devices"
    (devices / "disk").mkdir(parents=True)
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")  # in place of /etc/swift/swift.conf
    Path(utils.SWIFT_CONF_FILE).write_text("[swift-hash]\nswift_hash_path_suffix = a-test\n")
    utils.validate_hash_conf()

    from swift.common.storage_policy import reload_storage_policies
    from swift.common.wsgi import loadapp

    reload_storage_policies()
    common = f"[DEFAULT]\nswift_dir = {folder}\ndevices = {devices}\nmount_check = false\ndisable_fallocate = true\n"
    servers = []
    for kind in ("account", "container", "object"):
        listener = eventlet.listen(("127.0.0.1", 0))
        ring(folder / f"{kind}.ring.gz", listener.getsockname()[1])
        (folder / f"{kind}.conf").write_text(f"{common}[app:main]\nuse = egg:swift#{kind}\n")
        servers.append((kind, listener))
    filters = "".join(
        f"[filter:{name}]\nuse = egg:swift#{name}\n{more}"
        for name in _PIPELINE.split()[:-1]
        for more in [f"user_{access.replace(':', '_')} = {secret} .admin\n" if name == "tempauth" else ""]
    )
    (folder / "proxy.conf").write_text(
        f"{common}[pipeline:main]\npipeline = {_PIPELINE}\n{filters}"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
    )
    front = eventlet.listen(("127.0.0.1", 0))
    servers.append(("proxy", front))

    running = []
    for kind, listener in servers:
        application = loadapp(str(folder / f"{kind}.conf"))
        if listener is front:
            application = noted(application, folder / "asked")
        running.append(eventlet.spawn(wsgi.server, listener, application, log_output=False))
    print(front.getsockname()[1], flush=True)
    for each in running:
        each.wait()


def ring(path: Path, port: int) -> None:
    """Where a server's data lie: one copy, on the only disk."""
    from swift.common.ring import RingBuilder

    builder = RingBuilder(part_power=0, replicas=1, min_part_hours=0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "disk"})
    builder.rebalance()
    builder.get_ring().save(str(path))


def noted(application, path: Path):  # type: ignore[no-untyped-def]  # Swift and WSGI here have no types
    def note(environ, start_response):  # type: ignore[no-untyped-def]
        with path.open("a") as asked:
            asked.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}\n")
        return application(environ, start_response)

    return note


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
