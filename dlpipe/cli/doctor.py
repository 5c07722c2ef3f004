"""`dlpipe doctor`: is this machine fit? And below it, `dlpipe doctor preprocess`: is the model fed as it shall be?"""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import doctor_preprocess as preprocess
from dlpipe.cli import options as opt
from dlpipe.cli.wrapping import say


def register(app: typer.Typer) -> None:
    group = typer.Typer(invoke_without_command=True, callback=doctor)
    preprocess.register(group)
    app.add_typer(group, name="doctor")


def doctor(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Import what every toolchain holds, and weigh it: takes minutes.")
    ] = False,
    as_json: opt.AsJson = False,
) -> int:
    """Check the jail, the disk, the programs that are needed, and of each toolchain that is installed whether its
    interpreter starts and its packages are the locked ones. Exit code 4 when something is broken.
    """
    if context.invoked_subcommand is not None:
        return 0
    import platform
    import shutil
    from dataclasses import asdict

    from dlpipe import __version__
    from dlpipe.cli.output import human_size, print_json
    from dlpipe.toolchains.doctor import MACHINE_NEEDS, diagnose, missing_programs
    from dlpipe.toolchains.jail import describe
    from dlpipe.toolchains.manager import Toolchains, default_cache_dir

    cache = default_cache_dir()
    place = next(path for path in (cache, *cache.parents) if path.exists())
    tools = diagnose(Toolchains(), thorough=deep)
    free, jail, missing = shutil.disk_usage(place).free, describe(), missing_programs(MACHINE_NEEDS)
    broken = False
    if as_json:
        looked_at = list(tools)
        broken = any(each.state == "broken" for each in looked_at)
        print_json(
            {
                "dlpipe": __version__,
                "python": platform.python_version(),
                "cache": str(cache),
                "free_bytes": free,
                "jail": jail,
                "missing": missing,
                "deep": deep,
                "toolchains": [asdict(each) for each in looked_at],
            }
        )
    else:
        say(f"dlpipe {__version__}, Python {platform.python_version()}")
        say(f"cache {cache}, {human_size(free)} free")
        say(f"jail: {jail['kind']}, {'isolated' if jail['isolated'] else 'NOT ISOLATED: ' + str(jail['remedy'])}")
        for line in missing:
            say(line)
        for each in tools:
            say(f"toolchain {each.name}: {each.state}{''.join(f'; {p}' for p in each.problems)}")
            broken = broken or each.state == "broken"
        if not deep:
            say("whether what they hold can be imported was not tried: --deep does")
    return 4 if broken else 0
