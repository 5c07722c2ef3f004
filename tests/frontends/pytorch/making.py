"""Makes small models in every format of PyTorch. Run by its interpreter: making.py FOLDER."""

import io
import sys
import zipfile
from pathlib import Path

import nets
import torch
from torch._export.serde import serialize
from torch._export.serde.schema import SCHEMA_VERSION

OUT = Path(sys.argv[1])
torch.manual_seed(3)


def made(name: str) -> torch.nn.Module:
    torch.manual_seed(3)
    return getattr(nets, name)().eval()


def export(name: str, net: str, args: tuple, **more: object) -> None:
    torch.export.save(torch.export.export(made(net), args, strict=False, **more), OUT / f"{name}.pt2")


image, batch = torch.randn(1, 3, 16, 16), torch.randn(2, 3, 16, 16)
free = torch.export.Dim("batch", min=1, max=64)
export("conv", "Conv", (image,))
export("conv_free", "Conv", (batch,), dynamic_shapes=({0: free},))
export("several", "Several", (torch.randn(1, 4), {"ids": torch.tensor([[1, 2, 3]]), "scale": torch.ones(1)}))
export("halves", "Halves", (torch.randn(2, 6),), dynamic_shapes=({1: 2 * torch.export.Dim("half", min=2, max=50)},))

torch.jit.trace(made("Conv"), image).save(OUT / "traced.pt")
torch.jit.script(made("Scripted")).save(OUT / "scripted.pt")
torch.jit.script(made("Stateful")).save(OUT / "stateful.pt")
torch.jit.freeze(torch.jit.script(made("Conv"))).save(OUT / "frozen.pt")
torch.jit.script(made("Numbered")).save(OUT / "numbered.pt")

net = made("Conv")
weights = net.state_dict()
torch.save(weights, OUT / "plain.pth")
torch.save(weights, OUT / "legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in weights.items()}}, OUT / "nested.pth")
torch.save({f"net.{k}": v for k, v in weights.items()}, OUT / "prefixed.pth")
torch.save({k: v for k, v in weights.items() if k != "head.bias"}, OUT / "lacking.pth")
torch.save(net, OUT / "module.pt")
torch.save(made("Branching").state_dict(), OUT / "branching.pth")
torch.save(made("Sequence").state_dict(), OUT / "sequence.pth")
torch.save(made("Several").state_dict(), OUT / "several.pth")


class Evil:
    def __reduce__(self):
        return Path.write_text, (Path("/dlpipe/out/evil"), "executed")


torch.save({"state_dict": weights, "extra": Evil()}, OUT / "evil.pth")


def change(source: str, target: str, old: bytes, new: bytes, member: str = "models/model.json") -> None:
    """A copy of the archive in which a member says something else."""
    with zipfile.ZipFile(OUT / source) as archive, zipfile.ZipFile(OUT / target, "w") as changed:
        for info in archive.infolist():
            data = archive.read(info)
            if info.filename.endswith(member):
                assert old in data
                data = data.replace(old, new)
            changed.writestr(info, data)


change("conv.pt2", "calls.pt2", b"torch.ops.aten.relu.default", b"torch.hub.load")
change("conv_free.pt2", "computes.pt2", b'"expr_str": "', b'"expr_str": "__import__(\'os\').getpid() or ')
pickle = io.BytesIO()
torch.save(Evil(), pickle)
with zipfile.ZipFile(OUT / "conv.pt2") as archive, zipfile.ZipFile(OUT / "pickled.pt2", "w") as changed:
    for info in archive.infolist():
        changed.writestr(
            info, pickle.getvalue() if info.filename.endswith("sample_inputs/model.pt") else archive.read(info)
        )

# The layout of the archives that PyTorch wrote before 2.8.
serialized = serialize.serialize(torch.export.export(made("Conv"), (image,), strict=False))
with zipfile.ZipFile(OUT / "older.pt2", "w") as archive:
    archive.writestr("serialized_exported_program.json", serialized.exported_program)
    archive.writestr("version", ".".join(map(str, SCHEMA_VERSION)))
    archive.writestr("serialized_state_dict.pt", serialized.state_dict)
    archive.writestr("serialized_constants.pt", serialized.constants)
    archive.writestr("serialized_example_inputs.pt", serialized.example_inputs)
