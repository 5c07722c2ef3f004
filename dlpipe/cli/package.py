"""`dlpipe package`: sign, verify, encrypt and publish what `convert` made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt

package = typer.Typer(help="Sign, verify, encrypt and publish what `convert` made.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The output folder of `convert`, or one artefact in it.")]


def register(app: typer.Typer) -> None:
    app.add_typer(package, name="package")


@package.command()
def keygen(
    name: Annotated[Path, typer.Argument(help="The private key's file.")],
    encryption: Annotated[bool, typer.Option("--encryption", help="An age identity, to decrypt with.")] = False,
    as_json: opt.AsJson = False,
) -> None:
    """Make a pair of keys to sign with, or one to decrypt with.

    To sign: EC P-256, PEM, the public key as NAME.pub; encrypted when DLPIPE_KEY_PASSWORD holds a password. To decrypt:
    an age identity. Keys of OpenSSL and age-keygen do as well.

    \b
    Examples:
      dlpipe package keygen release.key
      dlpipe package keygen device.txt --encryption
    """
    from dlpipe.cli.output import print_json
    from dlpipe.pipeline.keyfiles import make_identity, make_signing_keys

    made = make_identity(name) if encryption else make_signing_keys(name)
    if as_json:
        print_json(made)
        return
    if encryption:
        typer.echo(f"{made['private']}: keep it secret; decrypt with it")
        typer.echo(f"{made['recipient']}: encrypt to this")
        return
    typer.echo(f"{made['private']}: keep it secret; sign with it")
    typer.echo(f"{made['public']}: give it to whoever verifies")


@package.command()
def sign(
    folder: Folder,
    key: Annotated[Path, typer.Option(help="Your private key (EC, PEM); its password: DLPIPE_KEY_PASSWORD.")],
    as_json: opt.AsJson = False,
) -> None:
    """Add provenance, bill of materials and model card; sign it all.

    These are in-toto with SLSA, CycloneDX and Markdown. The signature, model.sig, is of the OpenSSF Model Signing
    format: `model_signing verify key` checks it too.

    \b
    Example:
      dlpipe package sign dlpipe-out/model-1a2b3c4d --key release.key
    """
    from dlpipe.cli.output import print_json
    from dlpipe.pipeline import packages
    from dlpipe.report.words import several

    made = packages.sign(folder, key)
    if as_json:
        print_json(made)
        return
    typer.echo(f"{folder}: {several(made['files'], 'file')} signed with the key {made['key'][:16]}")


@package.command()
def verify(
    folder: Folder,
    key: Annotated[Path, typer.Option(help="The public key of whom you trust (PEM).")],
    as_json: opt.AsJson = False,
) -> int:
    """Check that every file is as it was signed.

    None may be missing or added either. Exit code 3, and the names, when something differs.

    \b
    Example:
      dlpipe package verify dlpipe-out/model-1a2b3c4d --key release.key.pub
    """
    from dataclasses import asdict

    from dlpipe.cli.output import exit_code, print_json
    from dlpipe.errors import GateFailed
    from dlpipe.package import keys, signature

    public = keys.public_key(key)
    name, found = keys.fingerprint(public), signature.verify(folder, public)
    if as_json:
        problems = [asdict(each) for each in found]
        print_json({"package": str(folder), "key": name, "verified": not found, "problems": problems})
        return GateFailed.exit_code if found else 0
    if not found:
        typer.echo(f"{folder}: every file is as it was signed, with the key {name[:16]}")
        return 0
    for each in found:
        typer.echo(f"{each.kind:<9}  {each.name}{': ' + each.how if each.how else ''}")
    return exit_code(GateFailed(f"{folder} is not what was signed", hint="do not use it; get it again from its maker"))


@package.command()
def encrypt(
    artifact: Annotated[Path, typer.Argument(help="An artefact's folder: OUT/selected/TARGET.")],
    to: Annotated[
        list[str],
        typer.Option(help="Who may decrypt: age1..., ssh-ed25519 ..., or NAME:KEY for a key management plug-in."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    as_json: opt.AsJson = False,
) -> None:
    """Encrypt an artefact's model for those who may load it.

    The cipher is AES-256-GCM. Its load_encrypted.py decrypts into memory, for ONNX Runtime, OpenVINO, ncnn and TVM.
    Sign it afterwards: encryption does not say who made it.

    \b
    Example:
      dlpipe package encrypt dlpipe-out/model-1a2b3c4d/selected/arm64 --to age1qz... -o shipped
    """
    from dlpipe.cli.output import print_json
    from dlpipe.pipeline.encrypting import encrypt as seal

    made = seal(artifact, to, out)
    if as_json:
        print_json(made)
        return
    typer.echo(f"{out}: encrypted: {', '.join(made['encrypted'])}; load it with {made['loader']}")


@package.command()
def decrypt(
    artifact: Annotated[Path, typer.Argument(help="What `encrypt` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    identity: Annotated[
        Path | None, typer.Option(help="The file with your age identity or SSH key; none for a key management system.")
    ] = None,
    as_json: opt.AsJson = False,
) -> None:
    """Write an encrypted artefact as it was before.

    \b
    Example:
      dlpipe package decrypt shipped --identity device.txt -o plain
    """
    from dlpipe.cli.output import print_json
    from dlpipe.pipeline.encrypting import decrypt as unseal

    made = unseal(artifact, identity, out)
    if as_json:
        print_json(made)
        return
    typer.echo(f"{out}: decrypted: {', '.join(made['decrypted'])}; it is the artefact {made['digest'][:12]}")


Place = Annotated[str, typer.Argument(help="HOST/REPOSITORY:TAG; to pull, @sha256:DIGEST does as well.")]
PlainHttp = Annotated[bool, typer.Option("--plain-http", help="Without encryption; on loopback that is the default.")]


@package.command()
def push(folder: Folder, place: Place, plain_http: PlainHttp = False, as_json: opt.AsJson = False) -> None:
    """Upload a package to a registry of OCI artefacts.

    In the layout of CNCF's ModelPack. Uses what `docker login` or `podman login` kept. Interrupted, the same command
    goes on: what is there is not sent again.

    \b
    Example:
      dlpipe package push dlpipe-out/model-1a2b3c4d registry.example.org/team/net:1.0
    """
    from dlpipe.cli.output import human_size, print_json
    from dlpipe.pipeline import publishing
    from dlpipe.report.words import several

    made = publishing.push(folder, place, plain_http=plain_http, say=_say)
    if as_json:
        print_json(made)
        return
    typer.echo(f"{made['reference']}: {several(made['files'], 'file')}, {human_size(made['sent_bytes'])} sent")
    if not made["signed"]:
        typer.echo("it is not signed: `dlpipe package sign` before pushing", err=True)


@package.command()
def pull(
    place: Place,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    key: Annotated[
        Path | None, typer.Option(help="The public key of whom you trust: verify before anything is kept.")
    ] = None,
    plain_http: PlainHttp = False,
    as_json: opt.AsJson = False,
) -> None:
    """Download a package, and verify it.

    With --key it is kept only if its signature holds, else the exit code is 3.

    \b
    Example:
      dlpipe package pull registry.example.org/team/net:1.0 --key release.key.pub -o net
    """
    from dlpipe.cli.output import print_json
    from dlpipe.pipeline import publishing
    from dlpipe.report.words import several

    made = publishing.pull(place, out, key, plain_http=plain_http, say=_say)
    if as_json:
        print_json(made)
        return
    state = "verified" if made["verified"] else "NOT verified (--key)"
    typer.echo(f"{out}: {several(made['files'], 'file')} of {made['reference']}, {state}")


def _say(line: str) -> None:
    typer.echo(line, err=True)
